// policy-gate is a CNI plugin, the last of the chain. It tells the network
// policy enforcer the address of each new pod and waits until the rules for
// the pod are in the kernel, so that a pod's first packet is already judged by
// its policies. Without it the enforcer would learn the address a second after
// the pod started, and would have to drop everything until then.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// patience bounds the wait for the enforcer. A pod that starts without its
// answer is not unprotected: unknown addresses are dropped.
const patience = 5 * time.Second

// Notice is what the enforcer reads: one JSON object on a line.
type Notice struct {
	Command   string `json:"command"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	UID       string `json:"uid"`
	Sandbox   string `json:"sandbox"`
	Address   string `json:"address,omitempty"`
}

type config struct {
	CNIVersion string          `json:"cniVersion"`
	Socket     string          `json:"socket"`
	PrevResult json.RawMessage `json:"prevResult"`
}

type result struct {
	IPs []struct {
		Address string `json:"address"`
	} `json:"ips"`
}

func main() {
	command := os.Getenv("CNI_COMMAND")
	if command == "VERSION" {
		fmt.Println(`{"cniVersion":"0.4.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0"]}`)
		return
	}
	var conf config
	if err := json.NewDecoder(os.Stdin).Decode(&conf); err != nil {
		fail("failed to read the network configuration", err)
	}
	if command == "ADD" || command == "DEL" {
		// An enforcer that does not answer must not keep pods from starting or
		// ending: it judges them by their status as soon as it is back.
		if err := tell(conf, command); err != nil {
			fmt.Fprintln(os.Stderr, "policy-gate:", err)
		}
	}
	if command == "ADD" {
		os.Stdout.Write(conf.PrevResult)
	}
}

func tell(conf config, command string) error {
	args := arguments(os.Getenv("CNI_ARGS"))
	notice := Notice{
		Command: command, Namespace: args["K8S_POD_NAMESPACE"], Pod: args["K8S_POD_NAME"],
		UID: args["K8S_POD_UID"], Sandbox: os.Getenv("CNI_CONTAINERID"),
	}
	var previous result
	if len(conf.PrevResult) > 0 {
		if err := json.Unmarshal(conf.PrevResult, &previous); err != nil {
			return err
		}
	}
	if len(previous.IPs) > 0 {
		notice.Address, _, _ = strings.Cut(previous.IPs[0].Address, "/")
	}
	conn, err := net.DialTimeout("unix", conf.Socket, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := json.NewEncoder(conn).Encode(notice); err != nil {
		return err
	}
	// The enforcer closes the connection when the rules are in the kernel.
	_, err = io.Copy(io.Discard, conn)
	return err
}

// arguments splits "KEY=value;KEY=value".
func arguments(text string) map[string]string {
	args := map[string]string{}
	for _, pair := range strings.Split(text, ";") {
		key, value, _ := strings.Cut(pair, "=")
		args[key] = value
	}
	return args
}

// fail ends with an error in the form that the CNI specification asks for.
func fail(what string, err error) {
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"cniVersion": "0.4.0", "code": 6, "msg": what, "details": err.Error(),
	})
	os.Exit(1)
}
