// A client of the HTTP door as a Go program would have it: golang.org/x/oauth2 and go-oidc, as they are.
module m2moauth.dev/test/clients/httpclient

go 1.26.0

require (
	github.com/coreos/go-oidc/v3 v3.21.0
	golang.org/x/oauth2 v0.37.0
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect
