#!/bin/sh
# What teams write by hand: git, docker and the AWS CLI from a commit to a running service. The fair peer of `dagger call release`: the
# same tests, image, tag, registry and service, and it waits for the end. From its environment: REMOTE (with a token), REGISTRY, REPOSITORY,
# CLUSTER, SERVICE, BASE_IMAGE, PYTHON (with the AWS CLI), and AWS's own variables.
set -eu
aws() { "$PYTHON" -m awscli "$@"; }

git fetch --quiet --tags "$REMOTE"
last=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2> /dev/null || echo v0.0.0)
if [ "$(git rev-parse --quiet --verify "$last^{commit}")" = "$(git rev-parse HEAD)" ]; then
  version=${last#v}
else
  # Every commit is a patch: a script does not read Conventional Commits.
  version=${last#v}
  version=${version%.*}.$((${version##*.} + 1))
fi
image=$REGISTRY/$REPOSITORY

digest() {
  aws ecr describe-images --repository-name "$REPOSITORY" --image-ids "imageTag=$version" \
    --query 'imageDetails[0].imageDigest' --output text 2> /dev/null || true
}

if [ -z "$(digest)" ]; then
  docker build --quiet --build-arg "PYTHON_IMAGE=$BASE_IMAGE" --target test . > /dev/null
  docker build --quiet --build-arg "PYTHON_IMAGE=$BASE_IMAGE" --target runtime --build-arg "VERSION=$version" --tag "$image:$version" . > /dev/null
  git push --quiet "$REMOTE" "HEAD:refs/tags/v$version"
  aws ecr get-login-password | docker login --username AWS --password-stdin "$REGISTRY" > /dev/null 2>&1
  docker push --quiet "$image:$version" > /dev/null
fi
reference=$image@$(digest)

current=$(aws ecs describe-services --cluster "$CLUSTER" --services "$SERVICE" --query 'services[0].taskDefinition' --output text)
aws ecs describe-task-definition --task-definition "$current" --query taskDefinition > current.json
if grep -qF "\"$reference\"" current.json; then
  echo "unchanged: $version"
  exit 0
fi
"$PYTHON" - "$reference" "$version" > next.json << 'END'
import json, sys
definition = json.load(open("current.json"))
for key in ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy"):
    definition.pop(key, None)
container = definition["containerDefinitions"][0]
container["image"] = sys.argv[1]
container.pop("command", None)
container["environment"] = [{"name": "APP_VERSION", "value": sys.argv[2]}]
json.dump(definition, sys.stdout)
END
next=$(aws ecs register-task-definition --cli-input-json file://next.json --query taskDefinition.taskDefinitionArn --output text)
aws ecs update-service --cluster "$CLUSTER" --service "$SERVICE" --task-definition "$next" > /dev/null
aws ecs wait services-stable --cluster "$CLUSTER" --services "$SERVICE"
echo "completed: $version"
