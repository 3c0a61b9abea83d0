package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// refuseOtherURL looks for the issuer where it is not: what discovery says has to be the URL that was asked.
func refuseOtherURL(ctx context.Context, o options) {
	_, err := oidc.NewProvider(ctx, o.otherURL)
	show("other-url", line{"refused": err != nil, "because": textOf(err)})
}

// verify validates a token as an API would, and then changes one thing at a time.
func verify(ctx context.Context, o options, provider *oidc.Provider, token *oauth2.Token) {
	config := oidc.Config{ClientID: o.audience}
	verified, err := provider.VerifierContext(ctx, &config).Verify(ctx, token.AccessToken)
	check("verify", err)
	var claims struct {
		ID       string `json:"jti"`
		ClientID string `json:"client_id"`
		Scope    string `json:"scope"`
	}
	check("verify", verified.Claims(&claims))
	show("verify", line{
		"issuer":    verified.Issuer,
		"subject":   verified.Subject,
		"audience":  verified.Audience,
		"jti":       claims.ID,
		"client_id": claims.ClientID,
		"scope":     claims.Scope,
		"lifetime":  int(verified.Expiry.Sub(verified.IssuedAt).Seconds()),
	})

	refuse := func(step string, config oidc.Config, jwt string) {
		_, err := provider.VerifierContext(ctx, &config).Verify(ctx, jwt)
		var expired *oidc.TokenExpiredError
		show(step, line{"refused": err != nil, "expired": errors.As(err, &expired), "because": textOf(err)})
	}
	refuse("wrong-audience", oidc.Config{ClientID: "https://elsewhere.example.com"}, token.AccessToken)
	refuse("tampered-claims", config, promote(token.AccessToken))
	refuse("tampered-signature", config, scratch(token.AccessToken))
	later := func() time.Time { return verified.Expiry.Add(time.Second) }
	refuse("expired", oidc.Config{ClientID: o.audience, Now: later}, token.AccessToken)
}

// promote writes a wider scope into the claims of a JWT and leaves its signature as it was.
func promote(jwt string) string {
	parts := strings.Split(jwt, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	check("promote", err)
	var claims map[string]any
	check("promote", json.Unmarshal(payload, &claims))
	claims["scope"] = "everything"
	payload, err = json.Marshal(claims)
	check("promote", err)
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	return strings.Join(parts, ".")
}

// scratch changes one character of the signature, in its middle, where it can't be padding.
func scratch(jwt string) string {
	at := len(jwt) - 40
	other := "A"
	if jwt[at:at+1] == other {
		other = "B"
	}
	return jwt[:at] + other + jwt[at+1:]
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
