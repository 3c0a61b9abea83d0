package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/oauth2"
)

// list reads the tokens of the owner as some clients of grpc-gateway do: with a new decoder for each value. What a decoder
// has read beyond its value is lost, so that such a client depends on how the list is written.
func list(ctx context.Context, o options, client *http.Client, tokenURL string) {
	config := o.config(tokenURL, oauth2.AuthStyleInHeader)
	config.EndpointParams.Set("audience", o.issuer)
	token, err := config.Token(ctx)
	check("list", err)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.issuer+"/api/v1/tokens", nil)
	check("list", err)
	token.SetAuthHeader(request)
	response, err := client.Do(request)
	check("list", err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		check("list", fmt.Errorf("status %d", response.StatusCode))
	}
	ids := map[string]bool{}
	for {
		var value struct {
			Result struct {
				ID string `json:"id"`
			} `json:"result"`
		}
		err := json.NewDecoder(response.Body).Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		check("list", err)
		ids[value.Result.ID] = true
	}
	show("list", line{"tokens": len(ids), "transfer": response.TransferEncoding})
}
