// ask.mjs HOST:PORT [GRPC-HOST:PORT]: with Node's own clients and with gRPC's, one after another; a line for each.
import https from "node:https";
import { once } from "node:events";
import { text } from "node:stream/consumers";

const [place, grpcPlace] = process.argv.slice(2);
const headers = { "X-Acme-Key": process.env.ACME_KEY };

async function withFetch() {
	const answer = await fetch(`https://${place}/node-fetch`, { headers });
	return answer.text();
}

async function withHttps() {
	const [answer] = await once(https.get(`https://${place}/node-https`, { headers }), "response");
	return text(answer);
}

function withWebSocket() {
	return new Promise((resolve, reject) => {
		const socket = new WebSocket(`wss://${place}/websocket`, { headers });
		let said;
		socket.onopen = () => socket.send("a message");
		socket.onmessage = (event) => { said = event.data; };
		socket.onclose = (event) => resolve(`${said}, ${event.code}`);
		socket.onerror = (event) => reject(event.error);
	});
}

// Streams both ways: each message goes when the answer to the one before has come.
async function withGrpc() {
	const { default: grpc } = await import("@grpc/grpc-js");
	const same = (octets) => octets;
	const metadata = grpc.Metadata.fromHttp2Headers({ "x-acme-key": process.env.ACME_KEY });
	const client = new grpc.Client(grpcPlace, grpc.credentials.createSsl());
	const call = client.makeBidiStreamRequest("/test.Echo/Chat", same, same, metadata, { deadline: Date.now() + 60000 });
	const said = [];

	call.on("error", () => {}); // the status tells of it
	call.on("data", (octets) => {
		said.push(octets.toString());
		if (said.length < 3)
			call.write(Buffer.from(["two", "three"][said.length - 1]));
		else
			call.end();
	});
	call.write(Buffer.from("one"));
	const [status] = await once(call, "status");
	client.close();
	return `${said.join(" ")}, status ${status.code} ${status.details}, trailer ${status.metadata.get("x-trailer")}`;
}

const ways = { "node-fetch": withFetch, "node-https": withHttps, websocket: withWebSocket };
if (grpcPlace)
	ways.grpc = withGrpc;
for (const [name, ask] of Object.entries(ways)) {
	try {
		console.log(`${name}: ${(await ask()).trim()}`);
	} catch (error) {
		console.log(`${name}: ${error?.cause?.message ?? error?.message ?? error}`);
	}
}
