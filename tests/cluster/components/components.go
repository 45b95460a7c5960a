// Package components holds the programs that a cluster is made of, each under
// the name it goes by in an ordinary installation. They are the upstream ones,
// linked into this binary instead of downloaded.
package components

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"userengine.dev/testcluster/netpol"
	"userengine.dev/testcluster/volumes"

	// The log format and the metrics that the upstream main packages register.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

// Run runs the component called name with os.Args as its own command line
// (os.Args[0] is the name) and ends the process. It returns false, without
// doing anything, when there is no such component.
func Run(name string) bool {
	run, ok := programs()[name]
	if !ok {
		return false
	}
	run()
	os.Exit(0)
	return true
}

// IsComponent tells whether Run would run name.
func IsComponent(name string) bool {
	_, ok := programs()[name]
	return ok
}

func programs() map[string]func() {
	return map[string]func(){
		"etcd":                    func() { etcdmain.Main(os.Args) },
		"kube-apiserver":          upstream(apiserver.NewAPIServerCommand),
		"kube-controller-manager": upstream(controllers.NewControllerManagerCommand),
		"kube-scheduler":          upstream(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
		"kubelet":                 upstream(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
		"kube-proxy":              upstream(proxy.NewProxyCommand),
		"kubectl":                 upstream(kubectl.NewDefaultKubectlCommand),
		"coredns":                 runCoreDNS,
		"storage-provisioner":     upstream(volumes.NewCommand),
		"network-policy":          upstream(netpol.NewCommand),
	}
}

// upstream defers building the command to the moment it runs: each of these
// constructors registers flags and feature gates in process-wide tables, so a
// process must build only the one that it is.
func upstream(build func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(build())) }
}
