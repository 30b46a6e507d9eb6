// Connects through libuv: net, http, dgram, fetch. Run twice by test_outgoing.py, as outgoing.py is.
const net = require('node:net')
const http = require('node:http')
const dgram = require('node:dgram')

function connect(options) {
  return new Promise((resolve) => {
    const socket = net.connect(options)
    let got = ''
    socket.setNoDelay(true)
    socket.on('connect', () => socket.write('good morning'))
    socket.on('data', (data) => {
      got += data
      if (got.length >= 12) {
        resolve([got, socket.localAddress, socket.remoteAddress, socket.remotePort])
        socket.destroy()
      }
    })
    socket.on('error', (error) => resolve([error.code, error.syscall, error.address, error.port]))
  })
}

function get(url) {
  return new Promise((resolve) => {
    http
      .get(url, (response) => {
        let body = ''
        response.on('data', (data) => (body += data))
        response.on('end', () => resolve([response.statusCode, body]))
      })
      .on('error', (error) => resolve([error.code]))
  })
}

function exchange(type, address) {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(type)
    socket.on('message', (data, from) => {
      resolve([data.toString(), from.address, from.port])
      socket.close()
    })
    socket.on('error', (error) => resolve([error.code]))
    socket.send('datagram', 7, address)
  })
}

async function main() {
  const tell = async (label, work) => console.log(label, JSON.stringify(await work))
  await tell('four', connect({ host: '10.77.0.1', port: 7 }))
  await tell('six', connect({ host: 'fd00:77::1', port: 7 }))
  await tell('name', connect({ host: 'db.shop.test', port: 7, family: 4 }))
  await tell('refused', connect({ host: '10.77.0.1', port: 1 }))
  await tell('unreachable', connect({ host: '10.77.9.1', port: 7 }))
  await tell('nowhere', connect({ host: '203.0.113.9', port: 7 }))
  await tell('loopback', connect({ host: '127.0.0.1', port: 6379 }))
  await tell('http', get('http://four.shop.test:8080/orders'))
  await tell('fetch', fetch('http://db.shop.test:8080/fetched').then((response) => response.text()))
  await tell('http refused', get('http://four.shop.test:1/'))
  const many = await Promise.all(Array.from({ length: 50 }, () => connect({ host: '10.77.0.1', port: 7 })))
  console.log('many', new Set(many.map(String)).size)
  await tell('udp4', exchange('udp4', '10.77.0.1'))
  await tell('udp6', exchange('udp6', 'fd00:77::1'))
}

main()
