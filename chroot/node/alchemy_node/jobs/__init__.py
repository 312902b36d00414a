"""What the running system does by itself: job= of the kernel's command line, or what the rack service says."""
