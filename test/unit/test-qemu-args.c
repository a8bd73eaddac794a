#include "engine/qemu-args.h"

#include "engine/engine-fds.h"

#include "unit.h"

#include <string.h>

static struct qemu_args *make(enum engine_accel accel, bool is_connected)
{
	const struct engine_machine machine = {.accel = accel, .cpus = 3, .memory_mib = 2048};
	bool connected[ENGINE_FDS];
	struct qemu_args *args;

	for (int fd = 0; fd < ENGINE_FDS; fd++)
		connected[fd] = is_connected || fd < ENGINE_NETWORK_FD;
	assert_int_equal(qemu_args_new("/usr/bin/qemu", &machine, connected, &args), 0);
	return args;
}

/* How many arguments after the option begin with this; all of them with an empty one. */
static unsigned count(const struct qemu_args *args, const char *option, const char *beginning)
{
	char *const *list = qemu_args_list(args);
	unsigned found = 0;

	for (size_t i = 1; list[i] && list[i + 1]; i++)
		if (strcmp(list[i], option) == 0 && strncmp(list[i + 1], beginning, strlen(beginning)) == 0)
			found++;
	return found;
}

static size_t index_of(const struct qemu_args *args, const char *beginning)
{
	char *const *list = qemu_args_list(args);
	size_t i = 0;

	while (list[i] && strncmp(list[i], beginning, strlen(beginning)) != 0)
		i++;
	assert_non_null(list[i]);
	return i;
}

static void test_accelerators(void **state)
{
	struct qemu_args *tcg = make(ENGINE_TCG, true), *kvm = make(ENGINE_KVM, true);

	(void)state;
	assert_int_equal(count(tcg, "-accel", "tcg,thread=single,tb-size=64"), 1);
	assert_int_equal(count(kvm, "-accel", "kvm"), 1);
	assert_int_equal(count(tcg, "-cpu", "max,svm=off"), 1);
	assert_int_equal(count(kvm, "-cpu", "host,svm=off,vmx=off"), 1);
	assert_int_equal(
		count(tcg, "-append", "console=ttyS0 quiet panic=-1 mitigations=off clearcpuid=cx16"), 1);
	assert_int_equal(count(kvm, "-append", "console=ttyS0 quiet panic=-1 mitigations=off"), 0);
	assert_int_equal(count(tcg, "-smp", "3"), 1);
	assert_int_equal(count(tcg, "-m", "2048"), 1);
	qemu_args_free(tcg);
	qemu_args_free(kvm);
}

static void test_same_devices(void **state)
{
	struct qemu_args *all = make(ENGINE_TCG, true), *few = make(ENGINE_TCG, false);

	(void)state;
	assert_int_equal(count(all, "-device", ""), count(few, "-device", ""));
	assert_int_equal(count(all, "-device", "virtserialport,"), 2 + ENGINE_SHARES);
	assert_int_equal(count(few, "-device", "virtserialport,bus=ports.0,nr=1,name=sbx.control,"), 1);
	assert_int_equal(count(few, "-device", "virtserialport,bus=ports.0,nr=2,name=sbx.network,"), 1);
	assert_int_equal(count(few, "-device", "virtserialport,bus=ports.0,nr=18,name=sbx.share.15,"), 1);
	assert_int_equal(count(few, "-chardev", "socket,"), 3);
	assert_int_equal(count(few, "-chardev", "null,"), 1 + ENGINE_SHARES);
	assert_int_equal(count(all, "-chardev", "null,"), 0);
	qemu_args_free(all);
	qemu_args_free(few);
}

static void test_layer(void **state)
{
	const struct engine_machine machine = {.cpus = 1, .memory_mib = 512};
	bool connected[ENGINE_FDS] = {[ENGINE_BASE_FD] = true, [ENGINE_DISK_FD] = true};
	struct qemu_args *without, *with;

	(void)state;
	assert_int_equal(qemu_args_new("/usr/bin/qemu", &machine, connected, &without), 0);
	connected[ENGINE_LAYER_FD] = true;
	assert_int_equal(qemu_args_new("/usr/bin/qemu", &machine, connected, &with), 0);
	assert_int_equal(count(without, "-device", "virtio-blk-pci,"), 2);
	assert_int_equal(count(with, "-device", "virtio-blk-pci,"), 3);
	assert_int_equal(count(with, "-blockdev", "driver=raw,node-name=layer,file=layer-file,read-only=on"),
			 1);
	assert_null(strstr(qemu_args_list(without)[index_of(without, "console=ttyS0")], "SBX_LAYER"));
	assert_non_null(strstr(qemu_args_list(with)[index_of(with, "console=ttyS0")], " SBX_LAYER=1"));
	qemu_args_free(without);
	qemu_args_free(with);
}

/* The same devices, and memory that no write of one machine changes for the next. */
static void test_restored(void **state)
{
	struct engine_machine machine = {.accel = ENGINE_TCG, .cpus = 1, .memory_mib = 512};
	const bool connected[ENGINE_FDS] = {false};
	struct qemu_args *booted, *restored;

	(void)state;
	assert_int_equal(qemu_args_new("/usr/bin/qemu", &machine, connected, &booted), 0);
	machine.memory = ENGINE_MEMORY_SHARED;
	machine.is_restored = true;
	assert_int_equal(qemu_args_new("/usr/bin/qemu", &machine, connected, &restored), 0);
	assert_int_equal(
		count(booted, "-object", "memory-backend-file,id=ram,size=512M,mem-path=/proc/self/fd/"), 1);
	assert_non_null(strstr(qemu_args_list(booted)[index_of(booted, "memory-backend-file")], "share=on"));
	assert_non_null(
		strstr(qemu_args_list(restored)[index_of(restored, "memory-backend-file")], "share=off"));
	assert_int_equal(count(booted, "-device", ""), count(restored, "-device", ""));
	assert_int_equal(count(booted, "-incoming", ""), 0);
	assert_int_equal(count(restored, "-incoming", "defer"), 1);
	assert_int_equal(count(restored, "-kernel", ""), 0);
	qemu_args_free(booted);
	qemu_args_free(restored);
}

static void test_what_must_not_be(void **state)
{
	static const char *const words[] = {"netdev", "virtio-net", "balloon", "usb-", "VGA", "virtfs", "9p"};
	struct qemu_args *args = make(ENGINE_KVM, true);
	char *const *list = qemu_args_list(args);

	(void)state;
	for (size_t i = 1; list[i]; i++) {
		for (size_t w = 0; w < array_len(words); w++)
			assert_null(strstr(list[i], words[w]));
		if (strchr(list[i], '/'))
			assert_true(strstr(list[i], "/dev/fdset/") || strstr(list[i], "/proc/self/fd/"));
	}
	assert_int_equal(count(args, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"), 1);
	qemu_args_free(args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accelerators),
		cmocka_unit_test(test_same_devices),
		cmocka_unit_test(test_layer),
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_what_must_not_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
