"""Another reader of HTTP than the proxy: the requests in what has reached a server."""


def end_of_chunks(octets, at):
    """Where a chunked body that begins there ends, or None while it is not whole."""
    while True:
        line_end = octets.find(b"\r\n", at)
        if line_end < 0:
            return None
        length = int(octets[at:line_end], 16)
        at = line_end + 2 + length + 2
        if at > len(octets):
            return None
        if length == 0:
            return at


def requests_in(octets):
    """Method and path of each request whose head is whole, and how many of them are whole with their bodies."""
    octets = bytes(octets)
    found, at = [], 0
    while True:
        head_end = octets.find(b"\r\n\r\n", at)
        if head_end < 0:
            return found, len(found)
        lines = octets[at:head_end].decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        found.append((method, path.partition("?")[0]))
        fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}
        at = head_end + 4
        if fields.get("transfer-encoding") == "chunked":
            at = end_of_chunks(octets, at)
        else:
            at += int(fields.get("content-length", 0))
        if at is None or at > len(octets):
            return found, len(found) - 1
        if "upgrade" in fields:
            return found, len(found)
