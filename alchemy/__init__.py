"""Builds Alchemy Linux. Data flows one way: config.yml, then a plan of stages, then bin/."""
