// HTTP on a port, from Node: serve.js PORT [cluster]. Prints a line once it listens.
const http = require('node:http')
const cluster = require('node:cluster')
const port = Number(process.argv[2])

if (process.argv[3] === 'cluster' && cluster.isPrimary) {
  let listening = 0
  for (let n = 0; n < 2; n++) cluster.fork()
  cluster.on('listening', () => {
    if (++listening === 2) console.log('listening')
  })
  process.stdin.on('end', () => process.exit(0)).resume()
} else {
  const server = http.createServer((request, response) => {
    const { remoteAddress, localAddress, localPort } = request.socket
    response.end(`program, to ${remoteAddress}, at ${localAddress} ${localPort} ${request.url}\n`)
  })
  server.listen(port, () => {
    if (!cluster.isWorker) {
      console.log('listening')
      process.stdin.on('end', () => process.exit(0)).resume()
    }
  })
}
