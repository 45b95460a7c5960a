package netpol

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

type options struct{ kubeconfig, pods, dns, socket, healthz string }

// NewCommand is the component network-policy.
func NewCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "network-policy", Short: "Enforces network policies on this node",
		Args: cobra.NoArgs, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of a user that may read pods, namespaces and policies")
	cmd.Flags().StringVar(&o.pods, "pods", "", "range of pod addresses")
	cmd.Flags().StringVar(&o.dns, "dns", "", "address of the node's DNS server")
	cmd.Flags().StringVar(&o.socket, "socket", "", "socket that the CNI plugin policy-gate tells of new pods")
	cmd.Flags().StringVar(&o.healthz, "healthz", "", "address to answer /healthz on")
	return cmd
}

func (o options) config() (config Config, err error) {
	if config.Pods, err = netip.ParsePrefix(o.pods); err != nil {
		return config, fmt.Errorf("--pods: %w", err)
	}
	if config.DNS, err = netip.ParseAddr(o.dns); err != nil {
		return config, fmt.Errorf("--dns: %w", err)
	}
	return config, nil
}

func (o options) run(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx = klog.NewContext(ctx, klog.Background())
	config, err := o.config()
	if err != nil {
		return err
	}
	kernel, err := newKernel(config.Pods)
	if err != nil {
		return err
	}
	rest, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return err
	}
	e, factory, err := newEnforcer(config, kernel, client)
	if err != nil {
		return err
	}
	go e.serveHealth(o.healthz)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if err := e.listen(ctx, o.socket); err != nil {
		return err
	}
	e.run(ctx)
	return nil
}

// serveHealth answers 200 once the first rules are in the kernel.
func (e *enforcer) serveHealth(address string) {
	klog.Fatal(http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !e.ready.Load() {
			http.Error(w, "no rules written yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})))
}
