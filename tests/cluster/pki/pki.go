// Package pki makes the certificates and kubeconfigs of a cluster.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"userengine.dev/testcluster/layout"
)

// Clusters are thrown away; a year is longer than any of them lives.
const lifetime = 365 * 24 * time.Hour

// identity is one certificate: the user or server that its holder is.
type identity struct {
	name   string
	user   string
	groups []string
	dns    []string
	ips    []net.IP
}

// kubeconfigUsers are the identities that also get a kubeconfig.
var kubeconfigUsers = []string{"admin", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}

func identities(c layout.Cluster) []identity {
	node := net.IP(c.Node().AsSlice())
	service := net.IP(c.APIService().AsSlice())
	return []identity{
		{
			name: "kube-apiserver", user: "kube-apiserver",
			dns: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"},
			ips: []net.IP{net.IPv4(127, 0, 0, 1), node, service},
		},
		{name: "admin", user: "admin", groups: []string{"system:masters"}},
		{name: "kubelet-client", user: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
		{name: "kube-controller-manager", user: "system:kube-controller-manager"},
		{name: "kube-scheduler", user: "system:kube-scheduler"},
		{
			name: "kubelet", user: "system:node:" + layout.NodeName, groups: []string{"system:nodes"},
			dns: []string{layout.NodeName}, ips: []net.IP{node},
		},
		{name: "kube-proxy", user: "system:kube-proxy"},
	}
}

// Ensure creates everything below the cluster's pki folder and the kubeconfigs
// unless that has been done before.
func Ensure(c layout.Cluster) error {
	done := c.File("pki", "complete")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if err := os.MkdirAll(c.File("pki"), 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(c)
	if err != nil {
		return fmt.Errorf("failed to create the certificate authority: %w", err)
	}
	for _, id := range identities(c) {
		if err := ca.issue(c, id); err != nil {
			return fmt.Errorf("failed to create the certificate of %s: %w", id.name, err)
		}
	}
	if _, err := newKey(c.File("pki", "service-accounts.key")); err != nil {
		return fmt.Errorf("failed to create the key for service account tokens: %w", err)
	}
	for _, user := range kubeconfigUsers {
		if err := writeKubeconfig(c, user); err != nil {
			return fmt.Errorf("failed to write the kubeconfig of %s: %w", user, err)
		}
	}
	return os.WriteFile(done, nil, 0o600)
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(c layout.Cluster) (*authority, error) {
	key, err := newKey(c.File("pki", "ca.key"))
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(pkix.Name{CommonName: c.ID() + "-ca"})
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key}, writePEM(c.File("pki", "ca.crt"), "CERTIFICATE", der)
}

func (a *authority) issue(c layout.Cluster, id identity) error {
	key, err := newKey(c.File("pki", id.name+".key"))
	if err != nil {
		return err
	}
	template, err := newTemplate(pkix.Name{CommonName: id.user, Organization: id.groups})
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames, template.IPAddresses = id.dns, id.ips
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePEM(c.File("pki", id.name+".crt"), "CERTIFICATE", der)
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime),
	}, nil
}

func newKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(filepath.Clean(path), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
