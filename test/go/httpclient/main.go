// Command httpclient uses the HTTP endpoints as any Go program would: golang.org/x/oauth2/clientcredentials asks for tokens,
// github.com/coreos/go-oidc verifies them by discovery. It takes one step after the other and prints what it saw, one
// JSON object a line; no token is printed. It ends with 1 where a step fails that is not meant to be refused.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// options are what the steps need to know. The client secret is no flag: a process list would show it.
type options struct {
	issuer, otherURL, caFile string
	clientID, clientSecret   string
	audience                 string
	timeout                  time.Duration
}

func main() {
	o := parseOptions()
	client, err := o.httpClient()
	check("transport", err)
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	// Both libraries find their HTTP client in the context.
	ctx = oidc.ClientContext(ctx, client)
	provider, err := oidc.NewProvider(ctx, o.issuer)
	check("discovery", err)
	show("discovery", line{"token_endpoint": provider.Endpoint().TokenURL})
	refuseOtherURL(ctx, o)
	token := handOut(ctx, o, provider.Endpoint().TokenURL)
	verify(ctx, o, provider, token)
	list(ctx, o, client, provider.Endpoint().TokenURL)
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.issuer, "issuer", "https://localhost:9101/m2m-oauth-server", "the issuer's URL")
	flag.StringVar(&o.otherURL, "other-url", "", "another URL that leads to the same issuer")
	flag.StringVar(&o.caFile, "cacert", "", "authority of the server's certificate, PEM")
	flag.StringVar(&o.clientID, "client-id", "", "client ID; the secret is read from M2M_CLIENT_SECRET")
	flag.StringVar(&o.audience, "audience", "", "for whom tokens are asked")
	flag.DurationVar(&o.timeout, "timeout", time.Minute, "when to give up")
	flag.Parse()
	o.clientSecret = os.Getenv("M2M_CLIENT_SECRET")
	return o
}

func (o options) httpClient() (*http.Client, error) {
	pem, err := os.ReadFile(o.caFile)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + o.caFile)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: authorities}
	return &http.Client{Transport: transport}, nil
}

// line is what is printed of a step.
type line map[string]any

func show(step string, what line) {
	what["step"] = step
	check(step, json.NewEncoder(os.Stdout).Encode(what))
}

func check(step string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "httpclient: %s: %v\n", step, err)
		os.Exit(1)
	}
}
