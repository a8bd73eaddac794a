#include "supervisor/shares.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/spawn.h"
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/socket.h>

enum { ANSWER_LIMIT_MS = 10000 };

struct share_server {
	uv_poll_t watch;
	struct shares *shares;
	unsigned id;
	int channel;
};

static void go_on(struct shares *shares);

/* ---- one server ---- */

static void on_server_closed(uv_handle_t *handle)
{
	struct share_server *server = handle->data;

	close(server->channel);
	free(server);
}

/* Its end of the channel is its life: it ends with it. */
static void lose_server(struct share *share)
{
	if (!share->server)
		return;
	uv_close((uv_handle_t *)&share->server->watch, on_server_closed);
	share->server = NULL;
	share->has_port = false;
	share->pid = 0;
}

static int tell(const struct share *share, enum chan_kind kind, uint32_t id, uint32_t code, struct slice body,
		int fd)
{
	return share->server ? chan_send(share->server->channel, kind, id, code, body, fd) : -ENOTCONN;
}

static int send_rules(const struct shares *shares, const struct share *share)
{
	int r = tell(share, CHAN_SHARE_GUARD, 0, 0, slice_text("reset"), -1);

	for (char *const *rule = shares->rules; r == 0 && rule && *rule; rule++)
		r = tell(share, CHAN_SHARE_GUARD, 0, 0, slice_text(*rule), -1);
	return r;
}

/* A server has its port once it is there and the machine is; what it is to know comes before. */
static void give_port(const struct shares *shares, struct share *share)
{
	int r;

	if (!share->server || share->port < 0 || share->has_port)
		return;
	r = send_rules(shares, share);
	if (r == 0 && share->state >= 0)
		r = tell(share, CHAN_SHARE_STATE, 0, 0, slice_text(""), share->state);
	r = r < 0 ? r : tell(share, CHAN_SHARE_PORT, 0, share->guest, slice_text(""), share->port);
	if (r < 0) {
		log_line("the server of '%s' does not take what it is told: %s", share->name, strerror(-r));
		lose_server(share);
		return;
	}
	share->has_port = true;
	/* What it was is past from here on: the next one begins anew, with a guest that knows an older one.
	 */
	if (share->state >= 0)
		close(steal_fd(&share->state));
	share->guest = SHARE_GUEST_CONTINUES;
}

static void take_answer(struct shares *shares, const struct share *share, uint32_t error)
{
	struct shares_round *round = &shares->round;

	if (error != 0)
		log_line("the server of '%s' fails: %s", share->name, strerror((int)error));
	if (round->kind == CHAN_SHARE_SAVE)
		(void)share_states_append(round->into, round->next, error == 0 ? round->state : -1);
	round->next++;
	go_on(shares);
}

static void take(struct shares *shares, struct share *share, const struct chan_message *message)
{
	unsigned id = (unsigned)(share - shares->all);

	if (message->kind == CHAN_SHARE_NOTE)
		shares->ops->on_note(shares->owner, id, message->body);
	else if (message->kind != CHAN_SHARE_DONE)
		lose_server(share);
	else if (shares->round.kind && message->id == shares->round.serial)
		take_answer(shares, share, message->code);
}

static void on_server(uv_poll_t *watch, int status, int events)
{
	struct share_server *server = watch->data;
	struct shares *shares = server->shares;
	struct share *share = &shares->all[server->id];
	struct chan_message message;
	int fd = -1;
	int r = status < 0 ? status : chan_receive(server->channel, &message, &fd);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (fd >= 0)
		close(fd); /* a server has none to give */
	if (r > 0)
		take(shares, share, &message);
	else
		lose_server(share);
	if (shares->round.kind && shares->round.next == server->id && !share->server)
		go_on(shares);
}

/* ---- the keeper ---- */

static int add_server(struct shares *shares, unsigned id, pid_t pid, int channel)
{
	struct share *share = &shares->all[id];
	struct share_server *server = calloc(1, sizeof(*server));
	int r = server ? fd_set_nonblock(channel) : -ENOMEM;

	r = r < 0 ? r : uv_poll_init(shares->loop, &server->watch, channel);
	if (r < 0) {
		close(channel);
		free(server);
		return r;
	}
	lose_server(share);
	server->watch.data = server;
	server->shares = shares;
	server->id = id;
	server->channel = channel;
	share->server = server;
	share->pid = pid;
	give_port(shares, share);
	return uv_poll_start(&server->watch, UV_READABLE, on_server);
}

static int take_role(struct shares *shares, const struct chan_message *message, int *fd)
{
	if (message->kind == CHAN_SERVED && *fd >= 0)
		shares->ops->on_role(shares->owner, message->id, (pid_t)message->code, fd);
	else if (message->kind == CHAN_FAILED)
		shares->ops->on_role_failed(shares->owner, message->id, message->body);
	else
		return -EBADMSG;
	return 0;
}

static int take_from_keeper(struct shares *shares, const struct chan_message *message, int *fd)
{
	struct share *share = message->id < SHARE_PORTS ? &shares->all[message->id] : NULL;

	if (message->id == KEEPER_PROXY || message->id == KEEPER_VAULT)
		return take_role(shares, message, fd);
	if (!share)
		return -EBADMSG;
	/* Of one that was dropped meanwhile. */
	if (!share->name)
		return 0;
	if (message->kind == CHAN_SERVED && *fd >= 0)
		return add_server(shares, message->id, (pid_t)message->code, steal_fd(fd));
	if (message->kind != CHAN_FAILED)
		return -EBADMSG;
	lose_server(share);
	shares->ops->on_failed(shares->owner, message->id, message->body);
	return 0;
}

static void on_keeper(uv_poll_t *watch, int status, int events)
{
	struct shares *shares = watch->data;
	struct chan_message message;
	autofd int fd = -1;
	int r = status < 0 ? status : chan_receive(shares->channel, &message, &fd);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r > 0 && take_from_keeper(shares, &message, &fd) == 0)
		return;
	log_line("the keeper of the folders has ended: they come back with the next start");
	uv_poll_stop(watch);
	kill(shares->keeper, SIGKILL);
	close(steal_fd(&shares->channel));
}

static int spawn_keeper(int channel, pid_t *ret_pid, struct err *err)
{
	static const char *const argv[] = {"sbx-keeper", NULL};
	char program[PATH_ROOM_BYTES];
	struct spawn spawn = {.program = program,
			      .argv = argv,
			      .fds = {-1, -1, STDERR_FILENO, [KEEPER_CHANNEL_FD] = channel},
			      .n_fds = KEEPER_FDS,
			      .death_signal = SIGKILL};
	int r = paths_program("sbx-keeper", program, err);

	return r < 0 ? r : spawn_start(&spawn, ret_pid, err);
}

int shares_start(struct shares *shares, struct err *err)
{
	autofd int theirs = -1;
	int pair[2], r;

	*shares = (struct shares){.channel = -1, .round = {.state = -1}};
	for (size_t i = 0; i < SHARE_PORTS; i++)
		shares->all[i] = (struct share){.root = -1, .state = -1, .port = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, -errno, "cannot make a channel");
	shares->channel = pair[0];
	theirs = pair[1];
	r = spawn_keeper(theirs, &shares->keeper, err);
	if (r == 0 && fd_set_nonblock(shares->channel) < 0)
		r = err_errno(err, -EIO, "cannot use the channel to the keeper");
	return r;
}

static void on_limit(uv_timer_t *timer)
{
	struct shares *shares = timer->data;

	log_line("the server of '%s' does not answer", shares->all[shares->round.next].name);
	lose_server(&shares->all[shares->round.next]);
	go_on(shares);
}

int shares_attach(struct shares *shares, uv_loop_t *loop, const struct shares_ops *ops, void *owner)
{
	int r = uv_poll_init(loop, &shares->watch, shares->channel);

	shares->loop = loop;
	shares->ops = ops;
	shares->owner = owner;
	r = r < 0 ? r : uv_timer_init(loop, &shares->limit);
	shares->watch.data = shares->limit.data = shares;
	return r < 0 ? r : uv_poll_start(&shares->watch, UV_READABLE, on_keeper);
}

/* ---- folders ---- */

static int ask_keeper(struct shares *shares, unsigned id)
{
	const struct share *share = &shares->all[id];

	return shares->channel < 0
		       ? -ENOTCONN
		       : chan_send(shares->channel, CHAN_KEEP, id, share->mode, slice_text(""), share->root);
}

int shares_keep_role(struct shares *shares, unsigned id)
{
	return shares->channel < 0 ? -ENOTCONN
				   : chan_send(shares->channel, CHAN_KEEP, id, 0, slice_text(""), -1);
}

int shares_keep(struct shares *shares, unsigned id, const char *name, int root, enum share_mode mode,
		enum share_guest guest, int state)
{
	struct share *share = &shares->all[id];
	char *copy = strdup(name);
	int r;

	if (!copy) {
		close(root);
		if (state >= 0)
			close(state);
		return -ENOMEM;
	}
	*share = (struct share){.name = copy,
				.root = root,
				.state = state,
				.port = share->port,
				.mode = mode,
				.guest = guest};
	r = ask_keeper(shares, id);
	if (r < 0)
		shares_drop(shares, id);
	return r;
}

void shares_drop(struct shares *shares, unsigned id)
{
	struct share *share = &shares->all[id];

	if (!share->name)
		return;
	if (shares->channel >= 0)
		(void)chan_send(shares->channel, CHAN_DROP, id, 0, slice_text(""), -1);
	lose_server(share);
	close(share->root);
	if (share->state >= 0)
		close(share->state);
	free(share->name);
	*share = (struct share){.root = -1, .state = -1, .port = share->port};
}

void shares_connect(struct shares *shares, const int ports[SHARE_PORTS])
{
	for (unsigned i = 0; i < SHARE_PORTS; i++) {
		struct share *share = &shares->all[i];

		share->port = ports[i];
		if (!share->name)
			continue;
		/* One that has served another machine: this one begins anew. */
		if (share->has_port) {
			share->guest = SHARE_GUEST_NEW;
			lose_server(share);
			(void)ask_keeper(shares, i);
		}
		give_port(shares, share);
	}
}

int shares_guard(struct shares *shares, char *const *rules)
{
	size_t count = 0;
	char **copy;

	while (rules && rules[count])
		count++;
	copy = count <= SHARES_RULES_MAX ? calloc(count + 1, sizeof(*copy)) : NULL;
	if (!copy)
		return count <= SHARES_RULES_MAX ? -ENOMEM : -E2BIG;
	for (size_t i = 0; i < count; i++)
		copy[i] = strdup(rules[i]);
	for (char **rule = shares->rules; rule && *rule; rule++)
		free(*rule);
	free(shares->rules);
	shares->rules = copy;
	for (size_t i = 0; i < SHARE_PORTS; i++)
		if (shares->all[i].has_port)
			(void)send_rules(shares, &shares->all[i]);
	return 0;
}

/* ---- what is asked of all ---- */

static void end_round(struct shares *shares, int result)
{
	struct shares_round round = shares->round;

	uv_timer_stop(&shares->limit);
	if (round.state >= 0)
		close(round.state);
	shares->round = (struct shares_round){.state = -1, .serial = round.serial};
	round.on_done(round.owner, result);
}

/* Before a server's own lines; where it cannot be written, the lines that follow stand alone. */
static void write_name(int into, const char *name)
{
	json_t *line = json_pack("{s:s}", "share", name);
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	auto_buf struct buf whole = {0};

	if (text && buf_printf(&whole, "%s\n", text) == 0)
		(void)fd_write_all(into, buf_slice(&whole));
	free(text);
	json_decref(line);
}

static int ask_server(struct shares *shares, const struct share *share)
{
	struct shares_round *round = &shares->round;

	round->serial++;
	if (round->kind == CHAN_SHARE_DIFF) {
		write_name(round->into, share->name);
		return tell(share, round->kind, round->serial, 0, slice_text(""), round->into);
	}
	if (round->state >= 0)
		close(round->state);
	round->state = share_states_new();
	return round->state < 0 ? round->state
				: tell(share, round->kind, round->serial, 0, slice_text(""), round->state);
}

/* On to the next one that can be asked; what cannot is known to be mounted, and nothing more. */
static void go_on(struct shares *shares)
{
	struct shares_round *round = &shares->round;

	for (; round->next < SHARE_PORTS; round->next++) {
		const struct share *share = &shares->all[round->next];

		if (!share->name)
			continue;
		if (share->has_port && ask_server(shares, share) == 0) {
			uv_timer_start(&shares->limit, on_limit, ANSWER_LIMIT_MS, 0);
			return;
		}
		if (round->kind == CHAN_SHARE_SAVE)
			(void)share_states_append(round->into, round->next, -1);
	}
	end_round(shares, 0);
}

static int begin_round(struct shares *shares, enum chan_kind kind, int into,
		       void (*on_done)(void *owner, int result), void *owner)
{
	if (shares->round.kind)
		return -EBUSY;
	shares->round.kind = kind;
	shares->round.into = into;
	shares->round.on_done = on_done;
	shares->round.owner = owner;
	go_on(shares);
	return 0;
}

int shares_save(struct shares *shares, int into, void (*on_done)(void *owner, int result), void *owner)
{
	int r;

	if (shares->round.kind)
		end_round(shares, -ECANCELED);
	r = share_states_begin(into);
	return r < 0 ? r : begin_round(shares, CHAN_SHARE_SAVE, into, on_done, owner);
}

int shares_diff(struct shares *shares, int into, void (*on_done)(void *owner, int result), void *owner)
{
	return begin_round(shares, CHAN_SHARE_DIFF, into, on_done, owner);
}
