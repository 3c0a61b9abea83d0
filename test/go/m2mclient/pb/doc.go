// Package pb holds what protoc-gen-go and protoc-gen-go-grpc generate from proto/ when m2mclient is built; nothing of
// it is kept in the repository, so that it is never out of date.
package pb
