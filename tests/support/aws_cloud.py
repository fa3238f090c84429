"""The state behind aws_endpoint.py: instances, Auto Scaling groups, stacks, metrics, and the trouble that tests ask for."""
import json
import re
import secrets
import subprocess
import time


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message = status, code, message


KNOBS = {
    "latency_ms": 0,
    "throttle_next": 0,        # so many calls are refused with RequestLimitExceeded / Throttling
    "fail_next": None,         # {"action": name, "code": c, "status": s, "count": n}
    "lose_next": None,         # {"action": name, "count": n}: carried out, the connection closed without an answer
    "page_size": 1000,         # of every list, at most
    "visible_after_ms": 0,     # a fresh instance is in no list before
    "pending_ms": 200,         # pending -> running
    "ending_ms": 200,          # shutting-down -> terminated
    "capacity": {},            # {"zone/type" or "zone" or "*": instances left}
    "die_at_boot_next": 0,     # so many of the next instances terminate instead of running
    "boot_next": 0,            # with "boot": so many of the next instances run nothing
    "boot": None,              # [program, arguments]: run per instance, with {id} {zone} {pool}
    "asg_delay_ms": 300,       # from a desired capacity to its instances
    "stack_delay_ms": 300,     # CREATE_IN_PROGRESS -> CREATE_COMPLETE; the same for ending
    "stack_rollback_next": 0,  # so many of the next stacks fail
    "stack_reason": "Resource handler returned message: we do not have sufficient c5.large capacity (InsufficientInstanceCapacity)",
    "stack_parameters": ["Count"],
}


class Cloud:
    region = "eu-test-1"
    subnets = {"subnet-0000000a": "eu-test-1a", "subnet-0000000b": "eu-test-1b", "subnet-0000000c": "eu-test-1c"}
    templates = {"lt-0123456789abcdef0": "game", "lt-0123456789abcdef1": "lobby"}

    def __init__(self):
        self.knobs = json.loads(json.dumps(KNOBS))
        self.instances = {}
        self.reservations = {}   # client token -> (parameters, reservation id, ids)
        self.asgs = {}
        self.stacks = {}
        self.metrics = []
        self.log = []
        self.refusals = []
        self.processes = {}
        self.ended = []
        self.victims = []        # instances that AWS itself chose to end
        self.pages = {}

    # ---- control ----

    def control(self, wish):
        for name in wish.pop("kill", []):
            self.end(self.instances[name], hard=True)
        for name, group in wish.pop("asg", {}).items():
            self.asgs[name] = {"min": 0, "max": 100, "desired": 0, "new_protected": True, "tags": {}, "instances": {}, "changed_at": 0, **group}
        for name, value in wish.items():
            if name not in self.knobs:
                raise KeyError(name)
            self.knobs[name] = value

    def told(self):
        calls = {}
        for entry in self.log:
            calls[entry["action"]] = calls.get(entry["action"], 0) + 1
        live = [i for i in self.instances.values() if i["state"] in ("pending", "running")]
        return {"log": self.log, "calls": calls, "instances": list(self.instances.values()), "live": len(live), "made": len(self.instances),
                "refusals": self.refusals, "asgs": self.asgs, "stacks": self.stacks, "metrics": self.metrics, "victims": self.victims,
                "stack_count": sum(s["status"] != "DELETE_COMPLETE" for s in self.stacks.values())}

    def close(self):
        for process in [*self.processes.values(), *self.ended]:
            process.kill()
        for process in [*self.processes.values(), *self.ended]:
            process.wait()

    # ---- trouble ----

    def trouble(self, action):
        k = self.knobs
        if k["throttle_next"] > 0:
            k["throttle_next"] -= 1
            if action in ("RunInstances", "DescribeInstances", "TerminateInstances", "CreateTags", "DescribeSubnets"):
                raise Refused(503, "RequestLimitExceeded", "Request limit exceeded.")
            raise Refused(400, "Throttling", "Rate exceeded")
        f = k["fail_next"]
        if f and f["action"] == action and f.get("count", 1) > 0:
            f["count"] = f.get("count", 1) - 1
            raise Refused(f.get("status", 400), f["code"], f.get("message", "as asked"))

    def loses(self, action):
        lose = self.knobs["lose_next"]
        if not lose or lose["action"] != action or lose.get("count", 1) <= 0:
            return False
        lose["count"] = lose.get("count", 1) - 1
        return True

    def call(self, action, params):
        self.tick()
        method = getattr(self, "do_" + action, None)
        if not method:
            raise Refused(400, "InvalidAction", f"this endpoint has no {action}")
        self.log.append({"action": action, "params": params, "at": time.time()})
        return method(params)

    # ---- time ----

    def tick(self):
        now = time.time()
        self.ended = [process for process in self.ended if process.poll() is None]
        for i in list(self.instances.values()):
            if i["state"] == "pending" and now >= i["since"] + self.knobs["pending_ms"] / 1000:
                if i["dies"]:
                    self.end(i)
                else:
                    i["state"], i["since"] = "running", now
                    self.boot(i)
            elif i["state"] == "shutting-down" and now >= i["since"] + self.knobs["ending_ms"] / 1000:
                i["state"], i["since"] = "terminated", now
        for name, group in self.asgs.items():
            self.tick_group(name, group, now)
        for stack in list(self.stacks.values()):
            self.tick_stack(stack, now)

    def tick_group(self, name, group, now):
        members = group["instances"]
        for one in list(members):
            state = self.instances[one]["state"]
            if state == "terminated":
                del members[one]
            elif state == "shutting-down":
                members[one]["lifecycle"] = "Terminating"
            elif state == "running" and members[one]["lifecycle"] == "Pending":
                members[one]["lifecycle"] = "InService"
        if now < group["changed_at"] + self.knobs["asg_delay_ms"] / 1000:
            return
        staying = [m for m in members if members[m]["lifecycle"] != "Terminating"]
        zones = sorted(self.subnets.values())
        while len(staying) < group["desired"]:
            zone = min(zones, key=lambda z: sum(self.instances[m]["zone"] == z for m in staying))
            if not self.take_capacity(zone, "c5.large"):
                break
            tags = {"aws:autoscaling:groupName": name, **{k: v["value"] for k, v in group["tags"].items() if v["propagate"]}}
            i = self.make(zone, "c5.large", tags)
            members[i["id"]] = {"lifecycle": "Pending", "protected": group["new_protected"]}
            staying.append(i["id"])
        for one in list(staying):
            if len(staying) <= group["desired"]:
                break
            if not members[one]["protected"]:
                staying.remove(one)
                self.victims.append(one)
                members[one]["lifecycle"] = "Terminating"
                self.end(self.instances[one])

    def tick_stack(self, stack, now):
        if now < stack["since"] + self.knobs["stack_delay_ms"] / 1000:
            return
        status = stack["status"]
        mine = [i for i in self.instances.values() if i["tags"].get("aws:cloudformation:stack-name") == stack["name"]]
        if status == "CREATE_IN_PROGRESS" and stack["fails"]:
            self.stack_to(stack, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Server1].")
        elif status == "CREATE_IN_PROGRESS":
            self.stack_to(stack, "CREATE_COMPLETE")
        elif status == "ROLLBACK_IN_PROGRESS":
            self.stack_to(stack, "ROLLBACK_COMPLETE")
        elif status == "DELETE_IN_PROGRESS":
            for i in mine:
                self.end(i)
            if all(i["state"] == "terminated" for i in mine):
                self.stack_to(stack, "DELETE_COMPLETE")

    # ---- instances ----

    def take_capacity(self, zone, kind):
        for key in (f"{zone}/{kind}", zone, "*"):
            if key in self.knobs["capacity"]:
                if self.knobs["capacity"][key] <= 0:
                    return False
                self.knobs["capacity"][key] -= 1
                return True
        return True

    def make(self, zone, kind, tags, token=None, subnet=None, reservation=None):
        now = time.time()
        one = "i-" + secrets.token_hex(8) + "0"
        dies = self.knobs["die_at_boot_next"] > 0
        self.knobs["die_at_boot_next"] -= dies
        subnet = subnet or next(s for s, z in self.subnets.items() if z == zone)
        i = {"id": one, "state": "pending", "since": now, "launched": now, "zone": zone, "type": kind, "tags": tags, "token": token, "subnet": subnet,
             "reservation": reservation or "r-" + secrets.token_hex(8), "dies": dies, "visible_at": now + self.knobs["visible_after_ms"] / 1000}
        self.instances[one] = i
        return i

    def end(self, i, hard=False):
        if i["state"] not in ("shutting-down", "terminated"):
            i["state"], i["since"] = "shutting-down", time.time()
        if i["id"] in self.processes:
            process = self.processes.pop(i["id"])
            process.kill() if hard else process.terminate()
            self.ended.append(process)

    def boot(self, i):
        if not self.knobs["boot"]:
            return
        if self.knobs["boot_next"] > 0:
            self.knobs["boot_next"] -= 1
            return
        words = [w.replace("{id}", i["id"]).replace("{zone}", i["zone"]).replace("{pool}", i["tags"].get("berth:pool", "game")) for w in self.knobs["boot"]]
        self.processes[i["id"]] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def seen(self):
        now = time.time()
        return [i for i in self.instances.values() if now >= i["visible_at"] and not (i["state"] == "terminated" and now > i["since"] + 3600)]

    def page(self, items, asked, token):
        """(page, token of the next or None)."""
        if token is not None:
            if token not in self.pages:
                raise Refused(400, "InvalidNextToken" if asked else "InvalidParameterValue", f"NextToken {token}")
            items = self.pages.pop(token)
        size = min(asked or 1000, self.knobs["page_size"])
        if len(items) <= size:
            return items, None
        token = secrets.token_urlsafe(40) + "+/="
        self.pages[token] = items[size:]
        return items[:size], token

    def shape(self, i):
        codes = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
        return {"InstanceId": i["id"], "ImageId": "ami-0123456789abcdef0", "State": {"Code": codes[i["state"]], "Name": i["state"]}, "InstanceType": i["type"],
                "LaunchTime": i["launched"], "Placement": {"AvailabilityZone": i["zone"], "Tenancy": "default"}, "SubnetId": i["subnet"],
                "PrivateIpAddress": "10.0.0.7", "ClientToken": i["token"] or "", "Tags": [{"Key": k, "Value": v} for k, v in i["tags"].items()],
                "Monitoring": {"State": "disabled"}, "Architecture": "x86_64", "EbsOptimized": False}

    def template(self, given):
        if "LaunchTemplateId" in given:
            if not re.fullmatch("lt-[0-9a-f]{17}", given["LaunchTemplateId"]):
                raise Refused(400, "InvalidLaunchTemplateId.Malformed", "The launch template ID is malformed.")
            if given["LaunchTemplateId"] not in self.templates:
                raise Refused(400, "InvalidLaunchTemplateId.NotFound", f"The specified launch template, with template ID {given['LaunchTemplateId']}, does not exist.")
        elif given.get("LaunchTemplateName") not in self.templates.values():
            raise Refused(400, "InvalidLaunchTemplateName.NotFoundException", "The specified launch template does not exist.")
        version = given.get("Version", "$Default")
        if version not in ("$Default", "$Latest", "1", "2"):
            raise Refused(400, "InvalidLaunchTemplateId.VersionNotFound", f"Could not find launch template version {version}.")

    def do_RunInstances(self, p):
        token = p.get("ClientToken")
        if "LaunchTemplate" not in p:
            raise Refused(400, "MissingParameter", "The request must contain the parameter ImageId")
        if token and token in self.reservations:
            params, reservation, ids = self.reservations[token]
            if params != p:
                raise Refused(400, "IdempotentParameterMismatch", "The client token has been used with other parameters")
            if all(self.instances[i]["state"] in ("shutting-down", "terminated") for i in ids):
                raise Refused(400, "IdempotentInstanceTerminated", "The instances of this token are terminated")
            return {"ReservationId": reservation, "OwnerId": "123456789012", "Instances": [self.shape(self.instances[i]) for i in ids]}
        self.template(p["LaunchTemplate"])
        if p["MinCount"] < 1 or p["MaxCount"] < p["MinCount"]:
            raise Refused(400, "InvalidParameterValue", "MinCount, MaxCount")
        subnet = p.get("SubnetId")
        if subnet and subnet not in self.subnets:
            raise Refused(400, "InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")
        zone = self.subnets[subnet] if subnet else p.get("Placement", {}).get("AvailabilityZone", "eu-test-1a")
        if zone not in self.subnets.values():
            raise Refused(400, "InvalidParameterValue", f"Invalid availability zone: [{zone}]")
        tags = {}
        for spec in p.get("TagSpecifications", []):
            given = {t["Key"]: t["Value"] for t in spec["Tags"]}
            if any(k.lower().startswith("aws:") for k in given) or len(given) != len(spec["Tags"]) or len(given) > 50:
                raise Refused(400, "InvalidParameterValue", "Tag keys")
            if spec["ResourceType"] == "instance":
                tags = given
        kind = p.get("InstanceType", "c5.large")
        made, reservation = [], "r-" + secrets.token_hex(8)
        free = 0
        while free < p["MaxCount"] and self.take_capacity(zone, kind):
            free += 1
        if free < p["MinCount"]:
            for key in (f"{zone}/{kind}", zone, "*"):
                if key in self.knobs["capacity"]:
                    self.knobs["capacity"][key] += free
                    break
            raise Refused(500, "InsufficientInstanceCapacity", f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}).")
        for _ in range(free):
            made.append(self.make(zone, kind, dict(tags), token, subnet, reservation))
        if token:
            self.reservations[token] = (p, reservation, [i["id"] for i in made])
        return {"ReservationId": reservation, "OwnerId": "123456789012", "Instances": [self.shape(i) for i in made]}

    def matches(self, i, f):
        name, values = f["Name"], f.get("Values", [])
        patterns = [re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in v) + r"\Z", re.S) for v in values]
        if name.startswith("tag:"):
            have = i["tags"].get(name[4:])
        elif name == "tag-key":
            return any(p.match(k) for p in patterns for k in i["tags"])
        elif name in ("instance-state-name", "availability-zone", "client-token", "instance-id", "subnet-id"):
            have = {"instance-state-name": i["state"], "availability-zone": i["zone"], "client-token": i["token"], "instance-id": i["id"], "subnet-id": i["subnet"]}[name]
        else:
            raise Refused(400, "InvalidParameterValue", f"The filter '{name}' is invalid")
        return have is not None and any(p.match(have) for p in patterns)

    def do_DescribeInstances(self, p):
        if "InstanceIds" in p:
            if "MaxResults" in p:
                raise Refused(400, "InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
            self.known(p["InstanceIds"])
        if p.get("MaxResults", 5) < 5:
            raise Refused(400, "InvalidParameterValue", "Value for parameter maxResults must be at least 5")
        items = [i["id"] for i in self.seen() if i["id"] in p.get("InstanceIds", [i["id"]]) and all(self.matches(i, f) for f in p.get("Filters", []))]
        items, token = self.page(items, p.get("MaxResults"), p.get("NextToken"))
        groups = {}
        for one in items:
            groups.setdefault(self.instances[one]["reservation"], []).append(self.shape(self.instances[one]))
        return {"Reservations": [{"ReservationId": r, "OwnerId": "123456789012", "Instances": v} for r, v in groups.items()], "NextToken": token}

    def known(self, ids):
        for one in ids:
            if not re.fullmatch("i-[0-9a-f]{17}|i-[0-9a-f]{8}", one):
                raise Refused(400, "InvalidInstanceID.Malformed", f'Invalid id: "{one}"')
        gone = [one for one in ids if one not in self.instances or time.time() < self.instances[one]["visible_at"]]
        if gone:
            raise Refused(400, "InvalidInstanceID.NotFound", f"The instance IDs '{', '.join(gone)}' do not exist")

    def do_TerminateInstances(self, p):
        self.known(p["InstanceIds"])
        out = []
        for one in p["InstanceIds"]:
            before = self.instances[one]["state"]
            self.end(self.instances[one])
            out.append({"InstanceId": one, "PreviousState": {"Name": before, "Code": 16}, "CurrentState": {"Name": self.instances[one]["state"], "Code": 32}})
        return {"TerminatingInstances": out}

    def do_CreateTags(self, p):
        for one in p["Resources"]:
            self.known([one])
            for tag in p["Tags"]:
                if tag["Key"].startswith("aws:"):
                    raise Refused(400, "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved")
                self.instances[one]["tags"][tag["Key"]] = tag["Value"]

    def do_DescribeSubnets(self, p):
        wanted = p.get("SubnetIds", list(self.subnets))
        for one in wanted:
            if one not in self.subnets:
                raise Refused(400, "InvalidSubnetID.NotFound", f"The subnet ID '{one}' does not exist")
        return {"Subnets": [{"SubnetId": s, "AvailabilityZone": self.subnets[s], "State": "available"} for s in wanted]}

    # ---- Auto Scaling ----

    def group(self, name):
        if name not in self.asgs:
            raise Refused(400, "ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
        return self.asgs[name]

    def do_DescribeAutoScalingGroups(self, p):
        names = [n for n in self.asgs if n in p.get("AutoScalingGroupNames", list(self.asgs))]
        names, token = self.page(names, p.get("MaxRecords"), p.get("NextToken"))
        out = []
        for name in names:
            g = self.asgs[name]
            members = [{"InstanceId": m, "AvailabilityZone": self.instances[m]["zone"], "LifecycleState": v["lifecycle"], "HealthStatus": "Healthy",
                        "ProtectedFromScaleIn": v["protected"]} for m, v in g["instances"].items()]
            out.append({"AutoScalingGroupName": name, "AutoScalingGroupARN": "arn:aws:autoscaling:eu-test-1:1:autoScalingGroup:u:autoScalingGroupName/" + name,
                        "MinSize": g["min"], "MaxSize": g["max"], "DesiredCapacity": g["desired"], "DefaultCooldown": 300, "AvailabilityZones": sorted(self.subnets.values()),
                        "HealthCheckType": "EC2", "CreatedTime": time.time(), "Instances": members, "NewInstancesProtectedFromScaleIn": g["new_protected"],
                        "Tags": [{"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": k, "Value": v["value"], "PropagateAtLaunch": v["propagate"]} for k, v in g["tags"].items()]})
        return {"AutoScalingGroups": out, "NextToken": token}

    def do_SetDesiredCapacity(self, p):
        g = self.group(p["AutoScalingGroupName"])
        if not g["min"] <= p["DesiredCapacity"] <= g["max"]:
            raise Refused(400, "ValidationError", f"New SetDesiredCapacity value {p['DesiredCapacity']} is above max value {g['max']} for the AutoScalingGroup.")
        g["desired"], g["changed_at"] = p["DesiredCapacity"], time.time()

    def do_TerminateInstanceInAutoScalingGroup(self, p):
        for name, g in self.asgs.items():
            if p["InstanceId"] not in g["instances"]:
                continue
            if p["ShouldDecrementDesiredCapacity"]:
                if g["desired"] - 1 < g["min"]:
                    raise Refused(400, "ValidationError", "Currently, desiredSize equals minSize. Terminating instance without replacement will violate group's min size constraint.")
                g["desired"] -= 1
            g["instances"][p["InstanceId"]]["lifecycle"] = "Terminating"
            self.end(self.instances[p["InstanceId"]])
            return {"Activity": {"ActivityId": "a-1", "AutoScalingGroupName": name, "Cause": "by request", "StartTime": time.time(), "StatusCode": "InProgress"}}
        raise Refused(400, "ValidationError", f"Instance Id not found - No managed instance found for instance ID: {p['InstanceId']}")

    def do_SetInstanceProtection(self, p):
        g = self.group(p["AutoScalingGroupName"])
        for one in p["InstanceIds"]:
            if g["instances"].get(one, {}).get("lifecycle") != "InService":
                raise Refused(400, "ValidationError", f"The instance {one} is not in InService or EnteringStandby or Standby.")
        if len(p["InstanceIds"]) > 50:
            raise Refused(400, "ValidationError", "at most 50 instances")
        for one in p["InstanceIds"]:
            g["instances"][one]["protected"] = p["ProtectedFromScaleIn"]
        return {}

    def do_CreateOrUpdateTags(self, p):
        for tag in p["Tags"]:
            if tag.get("ResourceType") != "auto-scaling-group" or tag["Key"].startswith("aws:"):
                raise Refused(400, "ValidationError", "tags of auto-scaling-groups")
            self.group(tag["ResourceId"])["tags"][tag["Key"]] = {"value": tag.get("Value", ""), "propagate": tag.get("PropagateAtLaunch", False)}

    # ---- CloudFormation ----

    def stack_to(self, stack, status, reason=None, resource=None):
        now = time.time()
        if not resource:
            stack["status"], stack["since"] = status, now
        stack["events"].insert(0, {"StackId": stack["id"], "EventId": secrets.token_hex(8), "StackName": stack["name"], "LogicalResourceId": resource or stack["name"],
                                   "ResourceType": "AWS::EC2::Instance" if resource else "AWS::CloudFormation::Stack", "Timestamp": now, "ResourceStatus": status,
                                   **({"ResourceStatusReason": reason} if reason else {})})

    def stack_named(self, name):
        for stack in self.stacks.values():
            if stack["id"] == name or (stack["name"] == name and stack["status"] != "DELETE_COMPLETE"):
                return stack
        return None

    def do_CreateStack(self, p):
        if not re.fullmatch("[a-zA-Z][-a-zA-Z0-9]{0,127}", p["StackName"]):
            raise Refused(400, "ValidationError", f"Value '{p['StackName']}' at 'stackName' failed to satisfy constraint")
        if ("TemplateBody" in p) == ("TemplateURL" in p):
            raise Refused(400, "ValidationError", "Either Template URL or Template Body must be specified.")
        given = {x["ParameterKey"]: x["ParameterValue"] for x in p.get("Parameters", [])}
        unknown = set(given) - set(self.knobs["stack_parameters"])
        if unknown:
            raise Refused(400, "ValidationError", f"Parameters: {sorted(unknown)} do not exist in the template")
        old = self.stack_named(p["StackName"])
        if old:
            if p.get("ClientRequestToken") and old["request_token"] == p["ClientRequestToken"]:
                return {"StackId": old["id"]}
            raise Refused(400, "AlreadyExistsException", f"Stack [{p['StackName']}] already exists")
        name = p["StackName"]
        stack = {"name": name, "id": f"arn:aws:cloudformation:{self.region}:123456789012:stack/{name}/{secrets.token_hex(8)}", "parameters": given, "events": [],
                 "tags": {t["Key"]: t["Value"] for t in p.get("Tags", [])}, "request_token": p.get("ClientRequestToken"), "created": time.time(),
                 "fails": self.knobs["stack_rollback_next"] > 0, "capabilities": p.get("Capabilities", []), "body": p.get("TemplateBody"), "url": p.get("TemplateURL")}
        self.knobs["stack_rollback_next"] -= stack["fails"]
        self.stacks[stack["id"]] = stack
        self.stack_to(stack, "CREATE_IN_PROGRESS", "User Initiated")
        if stack["fails"]:
            self.stack_to(stack, "CREATE_FAILED", self.knobs["stack_reason"], "Server1")
        else:
            zones = sorted(self.subnets.values())
            for n in range(int(given.get("Count", "1"))):
                self.make(zones[n % len(zones)], "c5.large", {**stack["tags"], "aws:cloudformation:stack-name": name, "aws:cloudformation:stack-id": stack["id"]})
        return {"StackId": stack["id"]}

    def shape_stack(self, s):
        return {"StackId": s["id"], "StackName": s["name"], "CreationTime": s["created"], "StackStatus": s["status"], "DisableRollback": False,
                "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in s["parameters"].items()], "Tags": [{"Key": k, "Value": v} for k, v in s["tags"].items()]}

    def do_DescribeStacks(self, p):
        if "StackName" in p:
            stack = self.stack_named(p["StackName"])
            if not stack:
                raise Refused(400, "ValidationError", f"Stack with id {p['StackName']} does not exist")
            return {"Stacks": [self.shape_stack(stack)]}
        live = [s["id"] for s in self.stacks.values() if s["status"] != "DELETE_COMPLETE"]
        items, token = self.page(live, 100, p.get("NextToken"))
        return {"Stacks": [self.shape_stack(self.stacks[i]) for i in items], "NextToken": token}

    def do_DescribeStackEvents(self, p):
        stack = self.stack_named(p["StackName"])
        if not stack:
            raise Refused(400, "ValidationError", f"Stack [{p['StackName']}] does not exist")
        items, token = self.page(stack["events"], 100, p.get("NextToken"))
        return {"StackEvents": items, "NextToken": token}

    def do_DescribeStackResources(self, p):
        stack = self.stack_named(p["StackName"])
        if not stack:
            raise Refused(400, "ValidationError", f"Stack with id {p['StackName']} does not exist")
        return {"StackResources": [{"LogicalResourceId": "Server", "PhysicalResourceId": i["id"], "ResourceType": "AWS::EC2::Instance", "Timestamp": i["launched"],
                                    "ResourceStatus": "CREATE_COMPLETE"} for i in self.instances.values() if i["tags"].get("aws:cloudformation:stack-name") == stack["name"]]}

    def do_DeleteStack(self, p):
        stack = self.stack_named(p["StackName"])
        if stack and stack["status"] not in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"):
            self.stack_to(stack, "DELETE_IN_PROGRESS", "User Initiated")

    # ---- CloudWatch ----

    def do_PutMetricData(self, p):
        data = p.get("MetricData", [])
        if p["Namespace"].startswith("AWS/") or not data or len(data) > 1000:
            raise Refused(400, "InvalidParameterValue", "Namespace, MetricData")
        for datum in data:
            if "Value" not in datum or len(datum.get("Dimensions", [])) > 30:
                raise Refused(400, "InvalidParameterValue", "MetricData")
            self.metrics.append({"namespace": p["Namespace"], "name": datum["MetricName"], "value": datum["Value"], "unit": datum.get("Unit"), "at": datum.get("Timestamp"),
                                 "dimensions": {d["Name"]: d["Value"] for d in datum.get("Dimensions", [])}})
