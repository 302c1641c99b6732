#!/bin/sh
# Makes the secrets of docker-compose.yml where they are missing. Their folder is its owner's alone; the files can be read
# by whoever gets to them, since Compose shows them to containers as they are, whose user is another one.
set -eu
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
chmod 700 "$folder"
for name in mitagger_key mitagger_search_key; do
    if [ ! -s "$folder/$name" ]; then
        head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$folder/$name.part"
        chmod 444 "$folder/$name.part"
        mv "$folder/$name.part" "$folder/$name"
        echo "made $folder/$name"
    fi
done
