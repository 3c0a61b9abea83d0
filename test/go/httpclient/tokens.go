package main

import (
	"context"
	"errors"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// styles are the ways in which a client may send its secret; the last one tries the others.
var styles = []struct {
	name  string
	style oauth2.AuthStyle
}{
	{"basic", oauth2.AuthStyleInHeader},
	{"post", oauth2.AuthStyleInParams},
	{"auto", oauth2.AuthStyleAutoDetect},
}

func (o options) config(tokenURL string, style oauth2.AuthStyle) clientcredentials.Config {
	return clientcredentials.Config{
		ClientID:       o.clientID,
		ClientSecret:   o.clientSecret,
		TokenURL:       tokenURL,
		Scopes:         []string{"read"},
		EndpointParams: url.Values{"audience": {o.audience}},
		AuthStyle:      style,
	}
}

// handOut asks for a token in each style, with the right secret, a wrong one, and for what the client does not allow.
func handOut(ctx context.Context, o options, tokenURL string) *oauth2.Token {
	var token *oauth2.Token
	for _, one := range styles {
		config := o.config(tokenURL, one.style)
		var err error
		token, err = config.Token(ctx)
		check(one.name, err)
		show(one.name, line{
			"token_type": token.Type(),
			"scope":      token.Extra("scope"),
			"expires_in": int(time.Until(token.Expiry).Seconds()),
			"valid":      token.Valid(),
		})
	}
	for _, one := range styles[:2] {
		config := o.config(tokenURL, one.style)
		config.ClientSecret += "x"
		refused(ctx, "wrong-secret-"+one.name, config)
	}
	config := o.config(tokenURL, oauth2.AuthStyleInHeader)
	config.Scopes = []string{"everything"}
	refused(ctx, "wrong-scope", config)
	config = o.config(tokenURL, oauth2.AuthStyleInHeader)
	config.EndpointParams = url.Values{"resource": {"https://elsewhere.example.com"}}
	refused(ctx, "wrong-resource", config)
	return token
}

func refused(ctx context.Context, step string, config clientcredentials.Config) {
	_, err := config.Token(ctx)
	var refusal *oauth2.RetrieveError
	if !errors.As(err, &refusal) {
		check(step, errors.Join(errors.New("it was not refused"), err))
	}
	show(step, line{
		"status":      refusal.Response.StatusCode,
		"error":       refusal.ErrorCode,
		"description": refusal.ErrorDescription,
	})
}
