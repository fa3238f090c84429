#!/bin/bash
# ansible.sh - the playbooks, as Ansible reads them; the tasks that decide whether something is new, really run on a directory of our own.
: "${BERTH_SOURCE:?the source tree}"
command -v ansible-playbook >/dev/null || { echo "skipped: no ansible-playbook (ansible-core)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ANSIBLE_LOCAL_TEMP=$work/tmp ANSIBLE_NOCOLOR=1 HOME=$work ANSIBLE_LOCALHOST_WARNING=false
cd "$BERTH_SOURCE/infra/ansible" || exit 1
status=0
for book in *.yml; do
    case $book in inventory.*) continue ;; esac
    ansible-playbook -i inventory.example.yml --syntax-check "$book" >"$work/out" 2>&1 || {
        cat "$work/out"
        echo "FAILED: $book"
        status=1
    }
    ansible-playbook -i inventory.example.yml --list-tasks "$book" 2>/dev/null | grep -q "TAGS" || {
        echo "FAILED: $book has no tasks"
        status=1
    }
done
hosts=$(ansible-inventory -i inventory.example.yml --list 2>/dev/null | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["_meta"]["hostvars"]))')
[ "$hosts" = 7 ] || { echo "FAILED: the example inventory has $hosts machines"; status=1; }
# Each unit that a playbook starts is one of ours.
for unit in $(grep -ohE "berth-[a-z]+@" ./*.yml | sort -u); do
    [ -f "../systemd/${unit}.service" ] || { echo "FAILED: there is no unit $unit"; status=1; }
done
# The shares of the swarm: together all players, none twice.
cat >"$work/shares.yml" <<'YAML'
- hosts: all
  connection: local
  gather_facts: false
  vars:
    players: 10
    share: "{{ (players | int / ansible_play_hosts_all | length) | round(0, 'ceil') | int }}"
    place: "{{ ansible_play_hosts_all.index(inventory_hostname) }}"
  tasks:
    - ansible.builtin.debug: {msg: "share={{ share }} first={{ place | int * share | int }}"}
YAML
grep -q "share: \"{{ (players | int / ansible_play_hosts_all | length) | round(0, 'ceil') | int }}\"" swarm.yml || { echo "FAILED: another rule for shares"; status=1; }
got=$(ansible-playbook -i "a,b,c" "$work/shares.yml" 2>&1 | grep -oE "share=[0-9]+ first=[0-9]+" | sort -u | tr '\n' ' ')
[ "$got" = "share=4 first=0 share=4 first=4 share=4 first=8 " ] || { echo "FAILED: shares: $got"; status=1; }
[ $status -eq 0 ] && echo "ansible: the playbooks are right"
exit $status
