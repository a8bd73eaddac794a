/*
 * The journal of a sandbox: what was refused to it, lines of JSON in its folder. Kept below a size: the lines
 * before are in journal.1.
 */
#pragma once

/*
 * Adds lines; folder is NULL where they are about none; notes are JSON objects, one a line, that a role has
 * made of what a guest has done. They are not parsed here: what could not be a line is left out.
 */
void journal_add(int sandbox_dir, const char *sandbox, const char *folder, const char *notes);
