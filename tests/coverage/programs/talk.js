// Connects, sends a datagram and listens: talk.js HOST ECHO REFUSED.
"use strict";
const net = require("net");
const dgram = require("dgram");
const [host, echo, refused] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

function connect() {
  const end = net.connect(echo, host, () => end.write("hello"));
  end.on("data", (data) => {
    console.log("net", String(data), end.remoteAddress, end.remotePort);
    end.end();
  });
  end.on("close", refuse);
}

function refuse() {
  net.connect(refused, host).on("error", (error) => {
    console.log("net", error.code);
    datagram();
  });
}

function datagram() {
  const end = dgram.createSocket("udp4");
  end.on("message", (data, source) => {
    console.log("datagram", String(data), source.address, source.port);
    end.close(listen);
  });
  end.send("hello", echo, host);
}

function listen() {
  const server = net.createServer((end) => {
    console.log("client", end.remoteAddress, end.remotePort);
    end.on("data", (data) => end.end(data));
    server.close();
  });
  server.listen(0, "127.0.0.1", () => console.log("listening", server.address().port));
}

connect();
