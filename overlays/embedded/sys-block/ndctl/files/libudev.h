/* What ndctl calls of libudev, where no udev runs: its queue of events is always empty. */

#include <sys/sysmacros.h>

struct udev;
struct udev_queue;

static inline struct udev *udev_new(void)
{
	static char none;

	return (struct udev *)&none;
}

static inline struct udev *udev_unref(struct udev *udev)
{
	(void)udev;
	return 0;
}

static inline struct udev_queue *udev_queue_new(struct udev *udev)
{
	return (struct udev_queue *)udev;
}

static inline struct udev_queue *udev_queue_unref(struct udev_queue *queue)
{
	(void)queue;
	return 0;
}

static inline int udev_queue_get_queue_is_empty(struct udev_queue *queue)
{
	(void)queue;
	return 1;
}
