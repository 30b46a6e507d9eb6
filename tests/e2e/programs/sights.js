// What a Node program of the tests sees around it: variables, files, names, others' answers. For shop_*.js.
'use strict';

const dns = require('dns').promises;
const fs = require('fs').promises;
const http = require('http');

function fetch(url) {
  return new Promise((resolve, reject) => {
    http.get(url, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => { body += part; });
      answer.on('end', () => resolve([answer.statusCode, body]));
    }).on('error', reject);
  });
}

// Returns [status, body] of a path that asks for what is around; undefined for any other.
async function look(path, query) {
  if (path.startsWith('/variable/')) {
    const value = process.env[path.slice('/variable/'.length)];
    return value === undefined ? [404, 'unset'] : [200, value];
  }
  try {
    if (path === '/file') return [200, await fs.readFile(query.get('path'))];
    if (path === '/lookup') {
      const found = await dns.lookup(query.get('name'), { all: true, family: 4 });
      return [200, [...new Set(found.map((each) => each.address))].sort().join(' ')];
    }
    if (path === '/fetch') return await fetch(query.get('url'));
  } catch (error) {
    return [path === '/fetch' ? 502 : 404, String(error.code)];
  }
  return undefined;
}

module.exports = { look };
