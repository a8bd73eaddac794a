/*
 * The journal of a sandbox: what was refused to it, lines of JSON in its folder. Kept below a size: the lines
 * before are in journal.1.
 */
#pragma once

/*
 * Adds a line; folder is NULL where it is about none; note is a JSON object that a role has made of what a
 * guest has done. It is not parsed here: one that could not be a line is left out.
 */
void journal_add(int sandbox_dir, const char *sandbox, const char *folder, const char *note);
