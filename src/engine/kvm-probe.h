/* Does /dev/kvm run code, or does it only open? */
#pragma once

/*
 * Lets a throw-away machine count in real mode for at most 50 ms. Gives million turns a second. A negative
 * errno says where it went wrong. May hang in a broken kernel: call it in a process of its own.
 */
int kvm_probe_measure(double *ret_million_turns);
