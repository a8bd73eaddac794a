/*
 * sbx-builder NAME TEMPLATES-FOLDER CACHE-FOLDER, with the caller's channel at descriptor 3: builds one
 * template, tells how far it is, and leaves either a whole template or nothing. The end of the channel is the
 * order to stop.
 */
#include "image/builder.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "image/manifest.h"
#include "image/template.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

enum { CHANNEL_FD = 3, TELL_STEP_MS = 100, LAST_WORD_LIMIT_MS = 5000 };
enum { LOCK_STEP_MS = 200, LOCK_LIMIT_MS = 4 * 60 * 60 * 1000, LOCK_TELL_STEPS = 50 };
enum { KERNEL_MIN_BYTES = 1 << 20, EXT4_MAGIC_AT = 1024 + 56 };

int builder_wait(const struct builder *builder, int fd, int limit_ms)
{
	struct pollfd ready[] = {{.fd = fd, .events = POLLIN},
				 {.fd = builder->channel, .events = POLLIN},
				 {.fd = builder->signals, .events = POLLIN}};
	int count;

	do
		count = poll(ready, array_len(ready), limit_ms);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	/* The caller never sends anything: what can be read there is the end. */
	if (ready[1].revents || ready[2].revents)
		return -ECANCELED;
	return ready[0].revents ? 1 : 0;
}

static int send_event(const struct builder *builder, json_t *event)
{
	autofree char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
	auto_buf struct buf line = {0};
	ssize_t sent;

	json_decref(event);
	if (!text || buf_printf(&line, "%s\n", text) < 0)
		return -ENOMEM;
	sent = fd_send(builder->channel, buf_slice(&line), /* fds= */ NULL, 0);
	return sent < 0 ? (int)sent : 0;
}

static uint64_t rate(struct builder *builder)
{
	const struct progress *progress = &builder->progress;
	int64_t passed_ms;

	if (progress->bytes == 0 || progress->bytes_wanted == 0) {
		builder->fetch_ms = clock_ms();
		return 0;
	}
	passed_ms = clock_ms() - builder->fetch_ms;
	return passed_ms > 0 ? progress->bytes * 1000 / (uint64_t)passed_ms : 0;
}

/* A caller that does not listen for a while misses steps; it never holds the build up. */
void builder_tell(struct builder *builder, const char *what, double fraction)
{
	const struct progress *progress = &builder->progress;
	uint64_t bytes_per_second = rate(builder);
	bool is_download = progress->bytes_wanted > 0;

	if (progress->phase == builder->sent_phase && clock_ms() < builder->sent_ms + TELL_STEP_MS)
		return;
	builder->sent_ms = clock_ms();
	builder->sent_phase = progress->phase;
	(void)send_event(builder,
			 json_pack("{s:f, s:s, s:I, s:I, s:I}", "done", fraction, "what", what, "bytes",
				   (json_int_t)(is_download ? progress->bytes : 0), "wanted",
				   (json_int_t)progress->bytes_wanted, "rate", (json_int_t)bytes_per_second));
}

static void tell_end(const struct builder *builder, int result, const struct err *err)
{
	int64_t end_ms = clock_ms() + LAST_WORD_LIMIT_MS;

	for (;;) {
		struct pollfd room = {.fd = builder->channel, .events = POLLOUT};
		int r = send_event(builder,
				   result == 0 ? json_pack("{s:b}", "ready", 1)
					       : json_pack("{s:i, s:s}", "failed", result, "why", err->text));

		if (r != -EAGAIN || clock_ms() > end_ms)
			return;
		(void)poll(&room, 1, TELL_STEP_MS);
	}
}

/* Equal numbers: the same build of the template. 0 where there is none that is whole. */
static ino_t whole_template(const struct builder *builder)
{
	autofd int dir_fd = file_open_dir(builder->folder_fd, builder->name);
	struct manifest manifest;
	struct stat info;

	if (dir_fd < 0 || manifest_read(dir_fd, &manifest, NULL) < 0 || fstat(dir_fd, &info) < 0)
		return 0;
	for (unsigned int i = 0; i < MANIFEST_BASE_FILES; i++) {
		autofd int fd = manifest_open_file(dir_fd, &manifest, i, NULL);

		if (fd < 0)
			return 0;
	}
	return info.st_ino;
}

/* 1 when somebody else has finished the template while we waited. */
static int take_lock(struct builder *builder, struct err *err)
{
	ino_t before = whole_template(builder), after;
	int64_t end_ms = clock_ms() + LOCK_LIMIT_MS;
	char file[BUILDER_WORK_BYTES];

	snprintf(file, sizeof(file), ".%s.lock", builder->name);
	builder->lock_fd = openat(builder->folder_fd, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (builder->lock_fd < 0)
		return err_errno(err, -errno, "cannot open '%s/%s'", builder->folder, file);
	if (flock(builder->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	for (unsigned int step = 0; errno == EWOULDBLOCK || errno == EINTR; step++) {
		int r;

		if (step % LOCK_TELL_STEPS == 0)
			builder_tell(builder, "another build of this template is running; waiting for it", 0);
		if (clock_ms() > end_ms)
			return err_set(err, -ETIME, "another build of the template '%s' does not end",
				       builder->name);
		r = builder_wait(builder, -1, LOCK_STEP_MS);
		if (r < 0)
			return r;
		if (flock(builder->lock_fd, LOCK_EX | LOCK_NB) == 0) {
			after = whole_template(builder);
			return after != 0 && after != before;
		}
	}
	return err_errno(err, -errno, "cannot lock '%s/%s'", builder->folder, file);
}

/* A build that ended well may still have written nonsense, for example to a disk with errors. */
static int check_result(enum manifest_file file, int fd, struct err *err)
{
	unsigned char magic[2] = {0};
	char head[6] = "";
	struct stat info;

	if (fstat(fd, &info) < 0)
		return err_errno(err, -errno, "cannot look at the new %s", manifest_file_name(file));
	if (file == MANIFEST_KERNEL && info.st_size >= KERNEL_MIN_BYTES)
		return 0;
	if (file == MANIFEST_MODULES && pread(fd, head, sizeof(head), 0) == sizeof(head) &&
	    memcmp(head, "070701", sizeof(head)) == 0)
		return 0;
	if (file == MANIFEST_BASE && pread(fd, magic, sizeof(magic), EXT4_MAGIC_AT) == sizeof(magic) &&
	    magic[0] == 0x53 && magic[1] == 0xef)
		return 0;
	return err_set(err, -EIO, "the build gave no usable %s", manifest_file_name(file));
}

static int seal_files(const struct builder *builder, struct err *err)
{
	for (unsigned int i = 0; i < MANIFEST_BASE_FILES; i++) {
		autofd int fd =
			openat(builder->work_fd, manifest_file_name(i), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		int r = fd < 0 ? err_errno(err, -errno, "cannot open the new %s", manifest_file_name(i))
			       : check_result(i, fd, err);

		if (r < 0)
			return r;
		if (fchmod(fd, 0444) < 0 || fsync(fd) < 0)
			return err_errno(err, -errno, "cannot write the new %s", manifest_file_name(i));
	}
	return 0;
}

static int seal(struct builder *builder, struct err *err)
{
	struct manifest manifest = {.created = time(NULL)};
	int r;

	builder->progress.bytes_wanted = 0;
	builder->sent_ms = 0;
	builder_tell(builder, "checking the result", builder->progress.fraction);
	snprintf(manifest.kernel_version, sizeof(manifest.kernel_version), "%.*s",
		 (int)strspn(builder->progress.kernel,
			     "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.+-_~"),
		 builder->progress.kernel);
	r = seal_files(builder, err);
	r = r < 0 ? r : manifest_measure(builder->work_fd, &manifest, err);
	r = r < 0 ? r : builder_remove_scratch(builder, err);
	r = r < 0 ? r : manifest_write(builder->work_fd, &manifest, err);
	/* The last moment at which the caller can still have nothing. */
	r = r < 0 ? r : builder_wait(builder, -1, 0);
	return r < 0 ? r : template_publish(builder->folder_fd, builder->work, builder->name, err);
}

static int build(struct builder *builder, struct err *err)
{
	struct err ignored;
	int r = take_lock(builder, err);

	if (r != 0)
		return r < 0 ? r : 0;
	builder_tell(builder, progress_text(&builder->progress), 0);
	r = builder_remove_leftovers(builder, err);
	r = r < 0 ? r : builder_check(builder, err);
	if (r < 0)
		return r;
	r = builder_make_folders(builder, err);
	r = r < 0 ? r : builder_run(builder, err);
	r = r < 0 ? r : seal(builder, err);
	if (r == -ENOSPC)
		r = builder_disk_full(builder, err);
	/* Ours if it failed, the template that was replaced if not. What cannot be removed now, the next
	 * build removes. */
	(void)builder_remove_leftovers(builder, &ignored);
	return r;
}

/*
 * Root's mmdebstrap mounts /proc and more below its tree: in a mount namespace of our own they can neither be
 * seen from outside nor outlive us.
 */
static int keep_mounts_apart(struct err *err)
{
	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(err, -errno,
				 "root may not mount here (a container without CAP_SYS_ADMIN?); build as an "
				 "ordinary user");
	return 0;
}

static int watch_signals(struct err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? err_errno(err, -errno, "cannot watch for signals") : fd;
}

static int prepare(struct builder *builder, struct err *err)
{
	int r;

	umask(077);
	if (fd_set_cloexec(builder->channel, true) < 0 || fd_set_nonblock(builder->channel) < 0)
		return err_set(err, -EBADF, "descriptor %d is not the caller's channel", CHANNEL_FD);
	r = template_check_name(builder->name, err);
	if (r < 0)
		return r;
	if (builder->folder[0] != '/' || builder->cache[0] != '/')
		return err_set(err, -EINVAL, "the folders must be absolute paths");
	if (snprintf(builder->log_path, sizeof(builder->log_path), "%s/build-%s.log", builder->cache,
		     builder->name) >= (int)sizeof(builder->log_path))
		return err_set(err, -ENAMETOOLONG, "the path of the cache is too long");
	builder->signals = watch_signals(err);
	if (builder->signals < 0)
		return builder->signals;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_errno(err, -errno, "cannot become a subreaper");
	r = keep_mounts_apart(err);
	r = r < 0 ? r : file_make_dirs(builder->folder, err);
	if (r < 0)
		return r;
	builder->folder_fd = file_open_dir(AT_FDCWD, builder->folder);
	return builder->folder_fd < 0
		       ? err_errno(err, builder->folder_fd, "cannot open '%s'", builder->folder)
		       : 0;
}

int main(int argc, char **argv)
{
	struct builder builder = {
		.folder_fd = -1, .lock_fd = -1, .channel = CHANNEL_FD, .signals = -1, .work_fd = -1};
	struct err err = {0};
	int r;

	log_open("sbx-builder");
	if (argc != 4) {
		log_line("this program is started by sbx");
		return 2;
	}
	builder.name = argv[1];
	builder.folder = argv[2];
	builder.cache = argv[3];
	r = prepare(&builder, &err);
	r = r < 0 ? r : build(&builder, &err);
	if (r == -ECANCELED)
		err_set(&err, r, "the build was cancelled");
	tell_end(&builder, r, &err);
	return r == 0 ? 0 : 1;
}
