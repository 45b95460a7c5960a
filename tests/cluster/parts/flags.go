package parts

import (
	"fmt"

	"userengine.dev/testcluster/layout"
)

func containerd(c layout.Cluster) []string {
	return []string{"--config", c.File("containerd.toml")}
}

// etcd does not sync to the disk: the cluster survives the end of its
// processes, which is all that tests need, and starts faster.
func etcd(c layout.Cluster) []string {
	return []string{
		"--data-dir=" + c.File("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
		fmt.Sprintf("--listen-metrics-urls=http://%s:2381", c.Node()),
	}
}

func apiServer(c layout.Cluster) []string {
	pki := func(file string) string { return c.File("pki", file) }
	return []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--secure-port=6443", "--advertise-address=" + c.Node().String(),
		"--tls-cert-file=" + pki("kube-apiserver.crt"), "--tls-private-key-file=" + pki("kube-apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--service-account-key-file=" + pki("service-accounts.key"),
		"--service-account-signing-key-file=" + pki("service-accounts.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--kubelet-client-certificate=" + pki("kubelet-client.crt"), "--kubelet-client-key=" + pki("kubelet-client.key"),
		"--kubelet-certificate-authority=" + pki("ca.crt"),
		// The node's name is in no DNS: logs and exec go to its address.
		"--kubelet-preferred-address-types=InternalIP",
		// Without these the controller manager logs an error every ten seconds.
		"--requestheader-client-ca-file=" + pki("ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--authorization-mode=Node,RBAC",
		// Added to the default set, which has PodSecurity, ResourceQuota and
		// ValidatingAdmissionPolicy among others.
		"--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range=" + c.Services().String(), "--allow-privileged=true",
		// Watches would keep a server that is told to stop for a whole minute.
		"--shutdown-delay-duration=0s", "--shutdown-watch-termination-grace-period=1s",
	}
}

func controllerManager(c layout.Cluster) []string {
	config := c.Kubeconfig("kube-controller-manager")
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=" + c.Node().String(), "--cert-dir=" + c.File("kube-controller-manager"),
		"--root-ca-file=" + c.File("pki", "ca.crt"), "--service-account-private-key-file=" + c.File("pki", "service-accounts.key"),
		"--cluster-signing-cert-file=" + c.File("pki", "ca.crt"), "--cluster-signing-key-file=" + c.File("pki", "ca.key"),
		"--use-service-account-credentials", "--leader-elect=false", "--cluster-cidr=" + c.Pods().String(),
		// Tests bring drivers of their own, which attach or refuse to.
		"--flex-volume-plugin-dir=" + c.File("kubelet", "volume-plugins"),
		// The default of 20 requests a second makes thousands of objects slow.
		"--kube-api-qps=200", "--kube-api-burst=300",
	}
}

func scheduler(c layout.Cluster) []string {
	config := c.Kubeconfig("kube-scheduler")
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=" + c.Node().String(), "--cert-dir=" + c.File("kube-scheduler"), "--leader-elect=false",
	}
}

func kubelet(c layout.Cluster) []string {
	return []string{
		"--config=" + c.File("kubelet.yaml"), "--kubeconfig=" + c.Kubeconfig("kubelet"),
		"--hostname-override=" + layout.NodeName, "--node-ip=" + c.Node().String(), "--root-dir=" + c.File("kubelet"),
	}
}

// kubeProxy leaves the conntrack settings alone: they belong to the machine,
// and inside a container they cannot be written.
func kubeProxy(c layout.Cluster) []string {
	return []string{
		"--kubeconfig=" + c.Kubeconfig("kube-proxy"), "--hostname-override=" + layout.NodeName,
		"--cluster-cidr=" + c.Pods().String(), "--proxy-mode=nftables",
		"--conntrack-max-per-core=0", "--conntrack-min=0",
		"--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
		fmt.Sprintf("--healthz-bind-address=%s:10256", c.Node()),
	}
}

func networkPolicy(c layout.Cluster) []string {
	return []string{
		"--kubeconfig=" + c.Kubeconfig("admin"), "--pods=" + c.Pods().String(), "--dns=" + c.Node().String(),
		"--socket=" + c.PolicySocket(), fmt.Sprintf("--healthz=%s:10301", c.Node()),
	}
}

func coreDNS(c layout.Cluster) []string { return []string{"-conf", c.File("Corefile")} }

func provisioner(c layout.Cluster) []string {
	return []string{
		"--kubeconfig=" + c.Kubeconfig("admin"), "--root=" + c.File("volumes"),
		fmt.Sprintf("--healthz=%s:10302", c.Node()),
	}
}
