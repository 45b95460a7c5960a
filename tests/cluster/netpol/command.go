package netpol

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

type options struct{ kubeconfig, pods, dns, socket, healthz string }

// NewCommand is the component network-policy.
func NewCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "network-policy",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return http.ListenAndServe(o.healthz, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }))
		},
	}
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "")
	cmd.Flags().StringVar(&o.pods, "pods", "", "")
	cmd.Flags().StringVar(&o.dns, "dns", "", "")
	cmd.Flags().StringVar(&o.socket, "socket", "", "")
	cmd.Flags().StringVar(&o.healthz, "healthz", "", "")
	return cmd
}
