package lifecycle

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"

	storage "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"userengine.dev/testcluster/layout"
)

//go:embed manifests/storage.yaml
var storageClasses []byte

// applyBaseObjects creates the storage classes that are not there. Existing
// ones stay as they are: a test may have changed them on purpose.
func applyBaseObjects(ctx context.Context, c layout.Cluster) error {
	client, err := Client(c)
	if err != nil {
		return err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(storageClasses), 1024)
	for {
		var class storage.StorageClass
		err := decoder.Decode(&class)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = client.StorageV1().StorageClasses().Create(ctx, &class, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("failed to create the storage class %s: %w", class.Name, err)
		}
	}
}
