// Looks at files in the ways of Node programs: synchronously, by callbacks of the thread pool, by streams, in children.
// Prints an answer a line; run under mirrord, and plainly with ROOT leading into the target's root.
const child_process = require("child_process");
const crypto = require("crypto");
const fs = require("fs");

const root = process.env.ROOT || "";
const shop = root + "/srv/shop";
const digest = (data) => crypto.createHash("sha256").update(data).digest("hex");
const tell = (name, value) => console.log(name + "\t" + JSON.stringify(value));
const attempt = (call) => {
	try {
		return call();
	} catch (error) {
		return error.code;
	}
};

async function main() {
	tell("readFileSync", fs.readFileSync(shop + "/config.json", "utf8"));
	tell("large", digest(fs.readFileSync(shop + "/large.bin")));
	tell("promises", digest(await fs.promises.readFile(shop + "/middle.bin")));
	const stat = fs.statSync(shop + "/config.json", { bigint: true });
	tell("stat", [String(stat.mtimeNs), String(stat.mode), String(stat.size), String(stat.ino)]);
	tell("lstat", fs.lstatSync(shop + "/current").isSymbolicLink());
	tell("readdir", fs.readdirSync(shop + "/orders").sort());
	tell("types", fs.readdirSync(shop, { withFileTypes: true }).map((e) => [e.name, e.isDirectory(), e.isSymbolicLink()]).sort());
	tell("recursive", fs.readdirSync(shop + "/tree", { recursive: true }).sort());
	tell("readlink", fs.readlinkSync(shop + "/current"));
	tell("realpath", fs.realpathSync(shop + "/current/../current/001.txt").replace(root, ""));
	tell("native", fs.realpathSync.native(shop + "/current").replace(root, ""));
	tell("exists", [fs.existsSync(shop + "/empty"), fs.existsSync(shop + "/nothing")]);
	for (const name of ["nothing", "loop", "dangling", "orders", "config.json/x"]) {
		tell("errors " + name, attempt(() => fs.readFileSync(shop + "/" + name).length));
	}
	const file = fs.openSync(shop + "/large.bin");
	const buffer = Buffer.alloc(16);
	tell("pread", [fs.readSync(file, buffer, 0, 16, 5000000), buffer.toString("hex")]);
	fs.closeSync(file);
	let size = 0;
	for await (const chunk of fs.createReadStream(shop + "/large.bin", { start: 100, end: 3000000 })) size += chunk.length;
	tell("stream", size);
	tell("many", (await Promise.all(fs.readdirSync(shop + "/orders").map((n) => fs.promises.readFile(shop + "/orders/" + n)))).length);
	const target = fs.mkdtempSync(require("os").tmpdir() + "/node-");
	fs.copyFileSync(shop + "/middle.bin", target + "/copy");
	tell("copyFile", digest(fs.readFileSync(target + "/copy")));
	fs.rmSync(target, { recursive: true });
	tell("execFile", child_process.execFileSync("cat", [shop + "/tree/a/side.txt"], { encoding: "utf8" }));
	tell("exec", child_process.execSync("cat < " + shop + "/tree/a/side.txt", { encoding: "utf8", env: { PATH: "/usr/bin:/bin" } }));
	tell("fork", child_process.spawnSync(process.execPath, ["-p", "require('fs').statSync('" + shop + "/empty').size"], { encoding: "utf8" }).stdout);
}

main();
