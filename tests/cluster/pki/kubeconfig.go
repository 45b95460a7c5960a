package pki

import (
	"os"

	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"

	"userengine.dev/testcluster/layout"
)

// writeKubeconfig writes a kubeconfig that works by itself: the certificates
// are inside, so a copy of the file is enough to use the cluster.
func writeKubeconfig(c layout.Cluster, user string) error {
	authority, err := os.ReadFile(c.File("pki", "ca.crt"))
	if err != nil {
		return err
	}
	certificate, err := os.ReadFile(c.File("pki", user+".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.File("pki", user+".key"))
	if err != nil {
		return err
	}
	config := api.NewConfig()
	config.Clusters[c.ID()] = &api.Cluster{Server: c.APIServer(), CertificateAuthorityData: authority}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts[c.ID()] = &api.Context{Cluster: c.ID(), AuthInfo: user}
	config.CurrentContext = c.ID()
	return clientcmd.WriteToFile(*config, c.Kubeconfig(user))
}
