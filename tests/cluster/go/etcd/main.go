// etcd, as go.etcd.io/etcd/server/v3 has it, in the version that this Kubernetes is made for: with Debian's older one the
// API server can't answer lists from its cache.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
