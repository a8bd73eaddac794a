#!/usr/bin/env node
// watch.mjs FOLDER: prints what Node's fs.watch says of the folder and everything below it, a line each: the time in
// milliseconds, the kind of event, the name. "ready" comes first, once watching has begun. Ends when its input does.
import fs from "node:fs";

const folder = process.argv[2];
if (!folder) {
	console.error("usage: watch.mjs FOLDER");
	process.exit(2);
}
const print = (words) => fs.writeSync(1, `${Date.now()} ${words}\n`);
const watcher = fs.watch(folder, { recursive: true }, (kind, name) => print(`${kind} ${name}`));
watcher.on("error", (error) => print(`error ${error.message}`));
// The recursive watcher of Linux looks through the folders in its own time; a turn of the loop later it has done so.
setImmediate(() => print("ready"));
process.stdin.on("end", () => process.exit(0)).resume();
