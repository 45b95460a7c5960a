// testcluster is a Kubernetes cluster for tests: every component of it, and
// the commands that start, stop and inspect it, in one program.
package main

import (
	"os"
	"path/filepath"

	"userengine.dev/testcluster/commands"
	"userengine.dev/testcluster/components"
)

func main() {
	// A link named like a component runs it: bin/kubectl is one.
	if components.Run(filepath.Base(os.Args[0])) {
		return
	}
	if len(os.Args) > 1 && components.IsComponent(os.Args[1]) {
		os.Args = os.Args[1:]
		components.Run(os.Args[0])
		return
	}
	os.Exit(commands.Execute())
}
