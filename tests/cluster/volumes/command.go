package volumes

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

type options struct{ kubeconfig, root, healthz string }

// NewCommand is the component storage-provisioner.
func NewCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "storage-provisioner", Short: "Provisions and expands volumes on this node",
		Args: cobra.NoArgs, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of a user that may do everything")
	cmd.Flags().StringVar(&o.root, "root", "", "folder for the volumes")
	cmd.Flags().StringVar(&o.healthz, "healthz", "", "address to answer /healthz on")
	return cmd
}

func (o options) run(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx = klog.NewContext(ctx, klog.Background())
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 300
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	volumes := store{o.root}
	expand, err := newExpander(client, volumes, factory)
	if err != nil {
		return err
	}
	// Asking for the informer registers it: the factory starts only those.
	factory.Core().V1().PersistentVolumes().Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if err := expand.remount(); err != nil {
		return fmt.Errorf("failed to mount the volumes again: %w", err)
	}
	go expand.run(ctx)
	go serveHealth(o.healthz)
	controller.NewProvisionController(ctx, client, ProvisionerName, provisioner{volumes},
		controller.LeaderElection(false)).Run(ctx)
	return nil
}

func serveHealth(address string) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	klog.Fatal(http.ListenAndServe(address, answer))
}
