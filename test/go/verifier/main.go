// Command verifier is the Go program of docs/verify.md, which takes the place of this file when it is built.
package main

func main() {}
