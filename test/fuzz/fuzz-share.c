/*
 * The FUSE server, with whatever somebody in place of the guest's kernel may put on the port: messages one
 * after another. Every one that wants an answer gets a sound one, and nothing outside the folder is touched.
 */
#include "base/fd.h"
#include "base/file.h"
#include "share/request.h"
#include "share/share.h"

#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char place[64];

/* A folder of this process's own, with a file outside that must stay as it is. */
static int make_place(void)
{
	const struct rlimit size = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
	autofd int outside = -1;
	int dir;

	if (!place[0]) {
		snprintf(place, sizeof(place), "/tmp/fuzz-share-XXXXXX");
		property(mkdtemp(place) != NULL);
		signal(SIGXFSZ, SIG_IGN);
		property(setrlimit(RLIMIT_FSIZE, &size) == 0);
	}
	dir = file_open_dir(AT_FDCWD, place);
	property(dir >= 0 && file_remove_tree(dir, "shared", NULL) == 0 && mkdirat(dir, "shared", 0700) == 0);
	outside = openat(dir, "outside", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	property(outside >= 0 && fd_write_all(outside, slice_text("untouched")) == 0);
	return dir;
}

static void check_answer(struct slice message, struct slice answer)
{
	struct fuse_out_header head;
	struct request request;

	request_open(message, &request);
	if (answer.len == 0)
		return;
	property(answer.len >= sizeof(head));
	memcpy(&head, answer.ptr, sizeof(head));
	property(head.len == answer.len && head.unique == request.head.unique);
	property(head.error <= 0 && head.error > -4096);
	property(head.error == 0 || answer.len == sizeof(head));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice in = slice_of(bytes, len);
	autofd int dir = make_place();
	auto_buf struct buf text = {0};
	struct share *share;
	size_t used;

	property(share_new(openat(dir, "shared", O_PATH | O_DIRECTORY | O_CLOEXEC), false, &share) == 0);
	while (request_frame(in, &used) == PARSED_OK) {
		auto_buf struct buf answer = {0};

		property(share_handle(share, slice_of(in.ptr, used), &answer) == 0);
		check_answer(slice_of(in.ptr, used), buf_slice(&answer));
		in = slice_skip(in, used);
	}
	share_free(share);
	property(file_read(dir, "outside", 64, &text) == 0 && slice_is(buf_slice(&text), "untouched"));
	(void)file_remove_tree(AT_FDCWD, place, NULL);
	property(mkdir(place, 0700) == 0);
	return 0;
}
