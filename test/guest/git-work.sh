#!/bin/sh
# git-work.sh FOLDER: ordinary work with git in an empty folder that is shared, ended by the first thing that does not
# work. Needs git and nothing else; what it clones it makes itself, outside the folder and inside.
set -eux

folder=$1
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
export HOME="$outside" GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
git config --global user.email agent@example.com
git config --global user.name Agent
git config --global init.defaultBranch main
git config --global protocol.file.allow always
git config --global core.pager cat

# What is cloned comes with an editor's settings and workflows, as projects do.
git init "$outside/upstream"
cd "$outside/upstream"
mkdir .vscode .github .github/workflows src
echo '{}' >.vscode/settings.json
echo 'on: push' >.github/workflows/ci.yml
echo 'int main(void) { return 0; }' >src/main.c
git add .
git commit -m first
git checkout -b other
echo more >>src/main.c
git commit -am second
git checkout main
git init "$outside/library"
cd "$outside/library"
echo library >README
git add .
git commit -m library

# A new repository, and what is set in one.
git init "$folder/project"
cd "$folder/project"
[ "$(git config core.filemode)" = true ]
[ -f .git/hooks/pre-commit.sample ] || [ ! -d /usr/share/git-core/templates/hooks ]
git init
git config user.name 'Somebody Else'
git config core.autocrlf input
git config --unset core.autocrlf
git remote add origin "$outside/upstream"
git config remote.origin.fetch
git fetch origin
git checkout -b main origin/main
git branch --set-upstream-to origin/main
git pull
echo change >>src/main.c
git diff --exit-code >/dev/null && exit 1
git add src/main.c
git commit -m change
git tag v1
git branch feature
git checkout feature
echo feature >feature.txt
git add feature.txt
git commit -m feature
git checkout main
echo main >main.txt
git add main.txt
git commit -m main
git rebase main feature
git checkout main
git merge feature
echo stashed >>src/main.c
git stash
git stash pop
git checkout src/main.c
git mv feature.txt renamed.txt
git commit -m rename
git rm -q renamed.txt
git commit -m remove
git reset --hard HEAD~1
git cherry-pick origin/other || git cherry-pick --abort
git branch -m feature renamed-feature
git branch -D renamed-feature
git remote rename origin upstream
git remote set-url upstream "$outside/upstream"
git gc --quiet
git fsck --full
git status --porcelain

# Worktrees.
git worktree add ../worktree -b tree
git -C ../worktree status
echo tree >../worktree/tree.txt
git -C ../worktree add tree.txt
git -C ../worktree commit -m tree
git worktree list
git worktree lock ../worktree
git worktree unlock ../worktree
git worktree move ../worktree ../moved
git -C ../moved status
git worktree remove ../moved
git worktree add --detach ../gone
rm -rf ../gone
git worktree prune
[ "$(git worktree list | wc -l)" = 1 ]

# Submodules.
git submodule add "$outside/library" library
git commit -m submodule
git submodule status
git submodule update --init --recursive
git submodule foreach git status
git submodule deinit -f library
git submodule update --init
git -C library checkout -b here
git -C library config user.name Library

# Clones: from elsewhere, and of what lies in the folder, by hard links.
git clone "$outside/upstream" "$folder/clone"
git -C "$folder/clone" checkout other
git -C "$folder/clone" push origin HEAD:refs/heads/pushed
git clone "$folder/clone" "$folder/second"
git clone --bare "$folder/clone" "$folder/bare.git"
git clone --depth 1 "file://$outside/upstream" "$folder/shallow"
git -C "$folder/bare.git" worktree add "$folder/of-bare" main
git -C "$folder/of-bare" status
git clone --recurse-submodules "$folder/project" "$folder/with-submodules"
git -C "$folder/with-submodules" submodule status
git -C "$folder/clone" sparse-checkout set src
git -C "$folder/clone" sparse-checkout disable
mv "$folder/second" "$folder/renamed"
git -C "$folder/renamed" status

# And all of it may go.
rm -rf "$folder/renamed" "$folder/shallow" "$folder/of-bare" "$folder/bare.git" "$folder/clone" "$folder/with-submodules" \
	"$folder/project"
[ -z "$(ls -A "$folder")" ]
