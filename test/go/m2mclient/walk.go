package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // What details are decoded by.
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"m2moauth.dev/test/go/m2mclient/pb"
)

// walk is one pass through the service as one client.
type walk struct {
	options
	service pb.M2MOAuthServiceClient
	health  grpc_health_v1.HealthClient
}

func newWalk(connection grpc.ClientConnInterface, o options) *walk {
	return &walk{o, pb.NewM2MOAuthServiceClient(connection), grpc_health_v1.NewHealthClient(connection)}
}

func (w *walk) all(ctx context.Context) {
	w.checkHealth(ctx)
	token, _ := w.create(ctx, "bearer")
	_, id := w.create(ctx, "walked")
	asBearer := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	only := []string{id}

	w.get(asBearer, "get", &pb.GetTokensRequest{IdFilter: only})
	w.delete(asBearer, "delete", only)
	w.delete(asBearer, "delete-again", only)
	w.get(asBearer, "get-live", &pb.GetTokensRequest{IdFilter: only})
	w.get(asBearer, "get-blacklisted", &pb.GetTokensRequest{IdFilter: only, IncludeBlacklisted: true})
	w.createWithWrongSecret(ctx)

	w.createMany(ctx)
	w.cancelHalfWay(asBearer)
	w.exceedDeadline(asBearer)
	w.count(asBearer)

	w.delete(asBearer, "delete-all", nil)
	_, err := w.service.DeleteTokens(asBearer, &pb.DeleteTokensRequest{})
	printStatus("revoked-bearer", err)
}

func (w *walk) checkHealth(ctx context.Context) {
	request := &grpc_health_v1.HealthCheckRequest{Service: pb.M2MOAuthService_ServiceDesc.ServiceName}
	answer, err := w.health.Check(ctx, request)
	check("health", err)
	show("health", line{"status": answer.Status.String()})
}

func (w *walk) request(name string) *pb.CreateTokenRequest {
	return &pb.CreateTokenRequest{
		ClientId:     w.clientID,
		ClientSecret: w.clientSecret,
		Audience:     []string{w.audience},
		TokenName:    name,
		GrantType:    "client_credentials",
	}
}

func (w *walk) create(ctx context.Context, name string) (token, id string) {
	answer, err := w.service.CreateToken(ctx, w.request(name))
	check("create", err)
	id, err = idOf(answer.AccessToken)
	check("create", err)
	show("create", line{
		"id":         id,
		"token_type": answer.TokenType,
		"expires_in": answer.ExpiresIn,
		"scope":      answer.Scope,
	})
	return answer.AccessToken, id
}

func (w *walk) createWithWrongSecret(ctx context.Context) {
	request := w.request("refused")
	request.ClientSecret += "x"
	_, err := w.service.CreateToken(ctx, request)
	printStatus("refused", err)
}

func (w *walk) get(ctx context.Context, step string, request *pb.GetTokensRequest) {
	stream, err := w.service.GetTokens(ctx, request)
	check(step, err)
	tokens := []json.RawMessage{}
	for {
		token, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			show(step, line{"tokens": tokens})
			return
		}
		check(step, err)
		shown, err := protojson.Marshal(token)
		check(step, err)
		tokens = append(tokens, shown)
	}
}

func (w *walk) delete(ctx context.Context, step string, ids []string) {
	answer, err := w.service.DeleteTokens(ctx, &pb.DeleteTokensRequest{IdFilter: ids})
	check(step, err)
	show(step, line{"blacklisted_count": answer.BlacklistedCount, "deleted_count": answer.DeletedCount})
}

// printStatus prints code, message and details that a call ended with; io.EOF is how a stream ends well.
func printStatus(step string, err error) {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	ended := status.Convert(err)
	details := []json.RawMessage{}
	for _, detail := range ended.Proto().GetDetails() {
		shown, err := protojson.Marshal(detail)
		check(step, err)
		details = append(details, shown)
	}
	show(step, line{"code": ended.Code().String(), "message": ended.Message(), "details": details})
}

// idOf reads the jti of a JWT that the service has just issued; nothing is verified.
func idOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("the access token is no JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		ID string `json:"jti"`
	}
	err = json.Unmarshal(payload, &claims)
	return claims.ID, err
}
