#include "area.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map(struct lanes_area *area, int fd, size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (memory == MAP_FAILED)
        return -errno;
    *area = (struct lanes_area){memory, size, fd};
    return 0;
}

int lanes_area_open(struct lanes_area *area, const char *name, size_t size)
{
    int fd, rc;

    *area = (struct lanes_area){.fd = -1};
    if (size > INT64_MAX) /* what a file may have */
        return -ENOMEM;
    fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    rc = ftruncate(fd, (off_t)size) < 0 ? -errno : map(area, fd, size);
    if (rc < 0)
        close(fd);
    return rc;
}

int lanes_area_attach(struct lanes_area *area, int fd)
{
    struct stat file;

    *area = (struct lanes_area){.fd = -1};
    if (fstat(fd, &file) < 0)
        return -errno;
    return file.st_size > 0 ? map(area, fd, (size_t)file.st_size) : -EINVAL;
}

void lanes_area_leave(struct lanes_area *area)
{
    if (area->memory != NULL)
        munmap(area->memory, area->size);
    *area = (struct lanes_area){.fd = -1};
}

void lanes_area_close(struct lanes_area *area)
{
    int fd = area->memory != NULL ? area->fd : -1;

    lanes_area_leave(area);
    if (fd >= 0)
        close(fd);
}
