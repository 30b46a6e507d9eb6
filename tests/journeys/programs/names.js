// Resolves through libuv's threads (getaddrinfo) and through c-ares, which speaks DNS itself. Run by test_names.py.
const dns = require('node:dns').promises
const os = require('node:os')

async function tell(label, work) {
  let value
  try {
    value = await work()
  } catch (error) {
    value = error.code
  }
  console.log(label, JSON.stringify(value))
}

async function main() {
  for (const name of ['db.shop.test', 'db', 'gw', 'six', 'nothing', 'broken.shop.test.'])
    for (const options of [{}, { all: true }, { family: 4 }, { family: 6 }])
      await tell(`lookup ${name} ${JSON.stringify(options)}`, () => dns.lookup(name, options))
  await tell('lookupService', () => dns.lookupService('10.77.0.1', 80))
  console.log('servers', dns.getServers())
  await tell('resolve4', () => dns.resolve4('db.shop.test'))
  await tell('resolve6', () => dns.resolve6('db.shop.test'))
  await tell('resolveCname', () => dns.resolveCname('www.shop.test'))
  await tell('resolveSrv', () => dns.resolveSrv('_http._tcp.shop.test'))
  await tell('resolveMx', async () => (await dns.resolveMx('shop.test')).sort((a, b) => a.priority - b.priority))
  await tell('resolveTxt', () => dns.resolveTxt('text.shop.test'))
  await tell('resolveTxt over TCP', async () => (await dns.resolveTxt('large.shop.test')).length)
  await tell('reverse', () => dns.reverse('10.77.0.1'))
  await tell('resolve4 nothing', () => dns.resolve4('nothing.shop.test'))
  await tell('resolve4 broken', () => dns.resolve4('broken.shop.test'))
  await tell('hostname', async () => os.hostname())
}

main()
