//go:build tools

// Package tools pins what the generated code and its generator need.
package tools

import (
	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	_ "google.golang.org/protobuf/cmd/protoc-gen-go"
)
