package main

import (
	"net/http/httptest"
	"testing"
)

func TestVersion(t *testing.T) {
	answer := httptest.NewRecorder()
	handler("1.2.3").ServeHTTP(answer, httptest.NewRequest("GET", "/version", nil))
	if got := answer.Body.String(); got != "{\"version\": \"1.2.3\"}\n" {
		t.Errorf("it says %q", got)
	}
}
