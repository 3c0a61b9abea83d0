// Command m2mclient uses M2MOAuthService as any Go program would: with what protoc-gen-go and protoc-gen-go-grpc make
// of proto/. It walks through all calls and prints what it saw, one JSON object a line; no token is printed. It ends
// with 1 where a step fails that the service is not meant to refuse.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// A stream that nobody reads stops here, however long it is: that makes ending it half-way a sure thing.
const windowBytes = 64 * 1024

// options are what the walk needs to know. The client secret is no flag: a process list would show it.
type options struct {
	address, caFile, certFile, keyFile string
	clientID, clientSecret, audience   string
	tokens                             int
	timeout                            time.Duration
}

func main() {
	o := parseOptions()
	transport, err := o.transport()
	check("transport", err)
	connection, err := grpc.NewClient(o.address,
		grpc.WithTransportCredentials(transport),
		grpc.WithInitialWindowSize(windowBytes),
		grpc.WithInitialConnWindowSize(16*windowBytes),
	)
	check("address", err)
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	newWalk(connection, o).all(ctx)
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.address, "address", "127.0.0.1:9100", "where the service listens")
	flag.StringVar(&o.caFile, "cacert", "", "authority of the server's certificate, PEM; plain text is spoken without it")
	flag.StringVar(&o.certFile, "cert", "", "certificate to show the server, PEM")
	flag.StringVar(&o.keyFile, "key", "", "its private key, PEM")
	flag.StringVar(&o.clientID, "client-id", "", "client ID; the secret is read from M2M_CLIENT_SECRET")
	flag.StringVar(&o.audience, "audience", "", "for whom tokens are asked")
	flag.IntVar(&o.tokens, "tokens", 300, "how many tokens the long streams have")
	flag.DurationVar(&o.timeout, "timeout", time.Minute, "when to give up")
	flag.Parse()
	o.clientSecret = os.Getenv("M2M_CLIENT_SECRET")
	return o
}

func (o options) transport() (credentials.TransportCredentials, error) {
	if o.caFile == "" {
		return insecure.NewCredentials(), nil
	}
	pem, err := os.ReadFile(o.caFile)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + o.caFile)
	}
	config := &tls.Config{RootCAs: authorities}
	if o.certFile != "" {
		pair, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}

// line is what is printed of a step.
type line map[string]any

func show(step string, what line) {
	what["step"] = step
	check(step, json.NewEncoder(os.Stdout).Encode(what))
}

func check(step string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "m2mclient: %s: %v\n", step, err)
		os.Exit(1)
	}
}
