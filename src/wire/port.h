/*
 * The stream on a virtio-serial port. A restored guest is not told that the host's end was replaced, may
 * still hold bytes of the old session, and may have stopped reading in the middle of anything. So each
 * session begins with a handshake inside the stream, and nothing relies on hang-up.
 *
 * How it works
 *   Host to guest: the stream is a sequence of packets. A zero byte is padding and is skipped. PORT_DATA is
 * followed by a big-endian 16-bit length and that many bytes, at most PORT_DATA_MAX_BYTES. PORT_HELLO is
 * followed by a version byte and a nonce. The host first sends more padding than one packet can be long:
 * wherever an earlier session was cut, the guest has swallowed the rest of the packet before the padding
 * ends, and reads HELLO as HELLO. Guest to host: bytes as they are. On HELLO the guest drops what it had
 * queued and answers with the nonce and its version. The host drops everything up to the nonce, which no
 * earlier session can have contained.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum {
	PORT_VERSION = 1,
	PORT_NONCE_BYTES = 16,
	PORT_DATA_MAX_BYTES = 4096,
	PORT_HEAD_BYTES = 3, /* of a packet with data */
	PORT_PADDING_BYTES = PORT_DATA_MAX_BYTES + 8,
};

enum port_kind { PORT_PADDING = 0, PORT_DATA = 1, PORT_HELLO = 2 };

/* ---- host ---- */

/* Appends what the host writes first. */
int port_append_hello(struct buf *into, const uint8_t nonce[PORT_NONCE_BYTES]);

/* Appends data as packets. */
int port_append_data(struct buf *into, struct slice data);

/* What goes before len bytes of data, at most PORT_DATA_MAX_BYTES. */
void port_write_head(char ret[PORT_HEAD_BYTES], size_t len);

/*
 * Looks for the answer. PARSED_OK: *ret_used bytes end with the answer, *ret_version is the guest's, the
 * session's bytes follow. PARSED_MORE: *ret_used bytes may be dropped, the rest kept.
 */
enum parsed port_find_answer(struct slice in, const uint8_t nonce[PORT_NONCE_BYTES], size_t *ret_used,
			     uint8_t *ret_version);

/* ---- guest ---- */

struct port_packet {
	enum port_kind kind; /* PORT_DATA or PORT_HELLO */
	struct slice data;   /* of PORT_DATA */
	uint8_t version;     /* of PORT_HELLO */
	uint8_t nonce[PORT_NONCE_BYTES];
};

/*
 * Takes one packet; *ret_used counts the padding before it too, also on PARSED_MORE. On PARSED_BAD, drop
 * *ret_used bytes and wait for the next HELLO.
 */
enum parsed port_parse(struct slice in, struct port_packet *ret, size_t *ret_used);

/* Appends the answer to a HELLO. */
int port_append_answer(struct buf *into, const uint8_t nonce[PORT_NONCE_BYTES]);
