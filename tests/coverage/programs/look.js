// Looks at a tree in the ways that Node programs do.
"use strict";
const fs = require("fs");
const path = require("path");
const { execFileSync } = require("child_process");
const [root, out] = process.argv.slice(2);
const show = (...values) => console.log(...values.map((v) => String(typeof v === "object" ? JSON.stringify(v) : v).replaceAll(root, "ROOT")));
const attempt = (name, call) => {
  try {
    show(name, call());
  } catch (error) {
    show(name, error.code, error.message);
  }
};

async function main() {
  const lines = path.join(root, "lines");
  show(fs.readFileSync(lines, "utf8").length, (await fs.promises.readFile(path.join(root, "large"))).length);
  show(fs.readdirSync(root).sort(), fs.readdirSync(root, { withFileTypes: true }).filter((e) => e.isDirectory()).length);
  for await (const entry of await fs.promises.opendir(path.join(root, "folder"))) show(entry.name);
  for (const name of ["lines", "link", "dangling", "none", "folder", "lines/none"]) {
    const each = path.join(root, name);
    attempt(name, () => fs.existsSync(each));
    attempt(name, () => fs.statSync(each).mode);
    attempt(name, () => fs.lstatSync(each, { bigint: true }).mode.toString());
    attempt(name, () => fs.accessSync(each, fs.constants.R_OK));
    attempt(name, () => fs.readlinkSync(each));
    attempt(name, () => fs.realpathSync(each));
    attempt(name, () => fs.realpathSync.native(each));
    attempt(name, () => fs.readdirSync(each));
    attempt(name, () => fs.readFileSync(each).length);
  }
  let size = 0;
  for await (const chunk of fs.createReadStream(path.join(root, "large"), { start: 1000000 })) size += chunk.length;
  show(size);
  process.chdir(path.join(root, "folder"));
  show(process.cwd(), fs.readFileSync("deep/file", "utf8"), execFileSync("cat", ["deep/file"]).toString());
  process.chdir(out);
  fs.copyFileSync(path.join(root, "large"), "copy");
  fs.cpSync(path.join(root, "folder"), "copied", { recursive: true, verbatimSymlinks: true });
  show(fs.statSync("copy").size, fs.readdirSync("copied").sort());
  show(require(path.join(root, "shop.js")).price, require(path.join(root, "data.json")));
}

main();
