#include "guest/docker.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "guest/users.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
	BACK_OFF_MIN_MS = 1000,
	BACK_OFF_MAX_MS = 60000,
	STEADY_MS = 60000, /* after that long, the next failure begins at the smallest back-off */
	LOG_MAX_BYTES = 10 << 20,
	BACKLOG = 128,
};

static const char program[] = DOCKER_PROGRAM;
static const char socket_path[] = DOCKER_SOCKET;
static const char log_path[] = "/var/log/dockerd.log";

struct docker {
	struct child child;
	struct guest *guest;
	struct timer timer;
	int socket;
	int64_t started_ms, back_off_ms;
	bool is_stopping;
	void (*on_stopped)(void *owner);
	void *owner;
};

static int open_log(void)
{
	int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	struct stat info;

	if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > LOG_MAX_BYTES)
		(void)!ftruncate(fd, 0);
	return fd;
}

static int set_env(struct strings *env)
{
	int r = strings_set(env,
			    slice_text("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));

	r = r < 0 ? r : strings_set(env, slice_text("HOME=/root"));
	return r < 0 ? r : strings_set(env, slice_text("LANG=C.UTF-8"));
}

static int run(struct docker *docker)
{
	static const char *const words[] = {program, "--host=fd://"};
	auto_strings struct strings argv = {0};
	auto_strings struct strings env = {0};
	autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	autofd int log = open_log();
	struct child_plan plan = {.argv = &argv,
				  .env = &env,
				  .dir = "/",
				  .fds = {null, log, log},
				  .listen_fd = docker->socket,
				  .cgroup_fd = groups_of_engine(docker->guest->groups)};
	int r = null < 0 || log < 0 ? -ENOENT : set_env(&env);

	for (size_t i = 0; r == 0 && i < array_len(words); i++)
		r = strings_add(&argv, slice_text(words[i]));
	return r < 0 ? r : child_start(docker->guest->children, &docker->child, &plan);
}

static void try_later(struct docker *docker)
{
	if (clock_ms() - docker->started_ms > STEADY_MS)
		docker->back_off_ms = BACK_OFF_MIN_MS;
	loop_set_timer(docker->guest->loop, &docker->timer, docker->back_off_ms);
	docker->back_off_ms *= 2;
	if (docker->back_off_ms > BACK_OFF_MAX_MS)
		docker->back_off_ms = BACK_OFF_MAX_MS;
}

static void start(struct docker *docker)
{
	int r;

	docker->started_ms = clock_ms();
	r = run(docker);
	if (r < 0) {
		log_line("dockerd cannot be started: %s", strerror(-r));
		try_later(docker);
	}
}

static void on_timer(struct timer *timer)
{
	start(holder_of(timer, struct docker, timer));
}

static void on_start(struct child *child, enum child_step step, int error)
{
	struct docker *docker = holder_of(child, struct docker, child);

	if (step == CHILD_RUNNING)
		return;
	log_line("dockerd cannot be started: %s", strerror(error));
	if (docker->is_stopping)
		docker->on_stopped(docker->owner);
	else
		try_later(docker);
}

static void on_exit_status(struct child *child, int status)
{
	struct docker *docker = holder_of(child, struct docker, child);

	if (docker->is_stopping) {
		docker->on_stopped(docker->owner);
		return;
	}
	log_line("dockerd ended with status %d and is started again", child_exit_status(status));
	try_later(docker);
}

static gid_t docker_group(void)
{
	autofd int fd = open("/etc/group", O_RDONLY | O_CLOEXEC);
	auto_buf struct buf text = {0};
	gid_t gid = 0;

	if (fd >= 0 && fd_read_all(fd, USERS_FILE_MAX_BYTES, &text) == 0)
		(void)users_find_group(buf_slice(&text), "docker", &gid);
	return gid;
}

static int open_socket(void)
{
	autofd int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (sock < 0)
		return -errno;
	memcpy(address.sun_path, socket_path, sizeof(socket_path));
	(void)unlink(socket_path);
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (chown(socket_path, 0, docker_group()) < 0 || chmod(socket_path, 0660) < 0 ||
	    listen(sock, BACKLOG) < 0)
		return -errno;
	return steal_fd(&sock);
}

int docker_new(struct guest *guest, struct docker **ret)
{
	struct docker *docker;

	if (access(program, X_OK) < 0)
		return 0;
	docker = calloc(1, sizeof(*docker));
	if (!docker)
		return -ENOMEM;
	*docker = (struct docker){.guest = guest, .back_off_ms = BACK_OFF_MIN_MS, .socket = open_socket()};
	if (docker->socket < 0) {
		int r = docker->socket;

		free(docker);
		return r;
	}
	docker->child.on_start = on_start;
	docker->child.on_exit = on_exit_status;
	docker->timer.on_due = on_timer;
	*ret = docker;
	start(docker);
	return 0;
}

void docker_stop(struct docker *docker, void (*on_stopped)(void *owner), void *owner)
{
	if (!docker || docker->child.pid == 0) {
		if (docker)
			loop_stop_timer(&docker->timer);
		on_stopped(owner);
		return;
	}
	docker->is_stopping = true;
	docker->on_stopped = on_stopped;
	docker->owner = owner;
	child_signal(&docker->child, SIGTERM);
}
