/* PID 1 of the boot test: tells on the console what the machine has, then echoes lines on the control port.
 */
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>

enum { TEXT_BYTES = 256, WAIT_STEPS = 500, SECTOR_BYTES = 512, ZERO_BYTES = 1 << 20 };

static void first_line(const char *path, char ret[TEXT_BYTES])
{
	FILE *file = fopen(path, "re");

	ret[0] = '\0';
	if (file) {
		if (!fgets(ret, TEXT_BYTES, file))
			ret[0] = '\0';
		ret[strcspn(ret, "\n")] = '\0';
		fclose(file);
	}
}

static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "re");
	char name[TEXT_BYTES], path[TEXT_BYTES + 16];

	while (order && fgets(name, sizeof(name), order)) {
		name[strcspn(name, "\n")] = '\0';
		snprintf(path, sizeof(path), "/modules/%s", name);
		autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			printf("MODULE %s %s\n", name, strerror(errno));
	}
	if (order)
		fclose(order);
}

/* Prints "KIND entry value-of-its-file" for each entry of a folder. */
static void tell(const char *kind, const char *folder, const char *file)
{
	char path[2 * TEXT_BYTES], value[TEXT_BYTES];
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%.100s/%s", folder, entry->d_name, file);
		first_line(path, value);
		printf("%s %s %s\n", kind, entry->d_name, value);
	}
	if (dir)
		closedir(dir);
}

static void try_disks(void)
{
	static char zeros[ZERO_BYTES];
	char sector[SECTOR_BYTES] = "written by the guest";
	autofd int base = open("/dev/vda", O_RDWR | O_CLOEXEC);
	autofd int disk = open("/dev/vdb", O_RDWR | O_CLOEXEC);
	uint64_t range[2] = {2 * ZERO_BYTES, ZERO_BYTES};

	printf("BASE-WRITE %s\n",
	       base >= 0 && pwrite(base, sector, sizeof(sector), 0) > 0 ? "done" : "refused");
	printf("DISK-WRITE %zd\n", pwrite(disk, sector, sizeof(sector), 0));
	printf("DISK-ZERO %zd\n", pwrite(disk, zeros, sizeof(zeros), ZERO_BYTES));
	printf("DISK-DISCARD %d\n", ioctl(disk, BLKDISCARD, range));
	printf("DISK-SYNC %d\n", fsync(disk));
}

static int open_port(const char *wanted)
{
	char path[TEXT_BYTES], name[TEXT_BYTES];

	for (int i = 1; i < 31; i++) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport%dp%d/name", 0, i);
		first_line(path, name);
		for (int bus = 0; bus < 8 && name[0] == '\0'; bus++) {
			snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport%dp%d/name", bus, i);
			first_line(path, name);
		}
		if (strcmp(name, wanted) != 0)
			continue;
		*strrchr(path, '/') = '\0';
		snprintf(name, sizeof(name), "/dev/%s", strrchr(path, '/') + 1);
		return open(name, O_RDWR | O_CLOEXEC);
	}
	return -ENOENT;
}

static int wait_port(const char *wanted)
{
	for (int i = 0; i < WAIT_STEPS; i++) {
		int fd = open_port(wanted);

		if (fd >= 0)
			return fd;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return -1;
}

int main(void)
{
	char rng[TEXT_BYTES];
	char bytes[TEXT_BYTES];
	int control;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	control = wait_port("sbx.control");
	if (wait_port("sbx.share.15") < 0)
		printf("PORT missing\n");
	tell("PORT", "/sys/class/virtio-ports", "name");
	tell("DISK", "/sys/class/block", "ro");
	tell("NET", "/sys/class/net", "type");
	tell("PCI", "/sys/bus/pci/devices", "class");
	tell("ACPI", "/sys/bus/acpi/devices", "hid");
	tell("GENERATION", "/sys/bus/platform/drivers/vmgenid", "modalias");
	tell("INPUT", "/sys/class/input", "name");
	first_line("/sys/class/misc/hw_random/rng_current", rng);
	printf("RNG %s\n", rng);
	try_disks();
	printf("READY\n");
	fflush(stdout);
	for (;;) {
		ssize_t count = read(control, bytes, sizeof(bytes));

		if (count > 0 && write(control, bytes, (size_t)count) < 0)
			printf("ECHO %s\n", strerror(errno));
		if (count <= 0)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}
