#include "cli/command.h"

const struct command *const commands[] = {
	&cmd_run,      &cmd_create,   &cmd_exec,     &cmd_ls,       &cmd_stats, &cmd_stop,
	&cmd_pause,    &cmd_resume,   &cmd_mount,    &cmd_umount,   &cmd_diff,  &cmd_guard,
	&cmd_policy,   &cmd_secret,   &cmd_fork,     &cmd_snapshot, &cmd_rm,    &cmd_prune,
	&cmd_settings, &cmd_template, &cmd_diagnose, &cmd_version,  NULL,
};
