#!/usr/bin/python3
"""aws.py - the CloudFormation templates: every reference resolves, launch templates have AWS's own shapes, the policy allows exactly what
the providers call, user-data is a right script, and the configuration in them is one that the programs take."""
import os, re, subprocess, sys, tempfile

try:
    import botocore.loaders
    import yaml
except ImportError as missing:
    print(f"skipped: {missing} (python3-botocore, python3-yaml)")
    sys.exit(77)

source = os.environ["BERTH_SOURCE"]
programs = os.environ["BERTH_BIN"]
failures = []


def check(ok, text):
    if not ok:
        failures.append(text)


class Call:
    """A CloudFormation function: !Ref x is Call("Ref", x)."""

    def __init__(self, name, value):
        self.name, self.value = name, value


class Loader(yaml.SafeLoader):
    pass


def construct(loader, suffix, node):
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: lambda n: loader.construct_sequence(n, deep=True)}
    return Call(suffix, kinds.get(type(node), lambda n: loader.construct_mapping(n, deep=True))(node))


Loader.add_multi_constructor("!", construct)
PSEUDO = {"AWS::StackName", "AWS::Region", "AWS::AccountId", "AWS::Partition", "AWS::NoValue", "AWS::URLSuffix"}


def walk(value, path=""):
    """Every value of a template, with where it is."""
    yield path, value
    if isinstance(value, Call):
        yield from walk(value.value, f"{path}/!{value.name}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(Call("Base64", inner) if key == "Fn::Base64" else inner, f"{path}/{key}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from walk(inner, f"{path}/{i}")


def sub_names(call):
    text, own = (call.value, {}) if isinstance(call.value, str) else (call.value[0], call.value[1])
    return text, [name for name in re.findall(r"\$\{([^!}][^}]*)\}", text) if name not in own]


def references(template):
    for path, value in walk(template):
        if not isinstance(value, Call):
            continue
        if value.name == "Ref":
            yield path, value.value, None
        elif value.name == "GetAtt":
            yield path, *value.value.split(".", 1)
        elif value.name == "Sub":
            for name in sub_names(value)[1]:
                yield path, name.split(".")[0] if "." in name else name, name.split(".", 1)[1] if "." in name else None
        elif value.name in ("If", "Condition"):
            pass
        elif value.name not in ("Select", "GetAZs", "Equals", "Not", "Base64"):
            check(False, f"{path}: !{value.name} is not known to this test")


def look_at_references(name, template):
    known = set(template.get("Parameters", {})) | set(template["Resources"]) | PSEUDO
    used = set()
    for path, target, attribute in references(template):
        used.add(target)
        check(target in known, f"{name}{path}: {target} is neither parameter nor resource")
        check(attribute is None or target in template["Resources"], f"{name}{path}: {target}.{attribute}: no such resource")
    for parameter in template.get("Parameters", {}):
        check(parameter in used, f"{name}: parameter {parameter} is not used")
    for resource, body in template["Resources"].items():
        check(re.fullmatch(r"AWS::\w+::\w+", body.get("Type", "")), f"{name}: {resource} has no type")
        check(set(body) <= {"Type", "Properties", "DependsOn", "Condition"}, f"{name}: {resource}: {set(body)}")
        after = body.get("DependsOn", [])
        for other in [after] if isinstance(after, str) else after:
            check(other in template["Resources"], f"{name}: {resource} depends on {other}, which is not there")
        if "Condition" in body:
            check(body["Condition"] in template["Conditions"], f"{name}: {resource}: condition {body['Condition']}")


def look_at_cycles(name, template):
    edges = {resource: set() for resource in template["Resources"]}
    for resource, body in template["Resources"].items():
        for _, target, _ in references(body):
            if target in edges:
                edges[resource].add(target)
        after = body.get("DependsOn", [])
        edges[resource] |= set([after] if isinstance(after, str) else after)
    done = set()
    while True:
        free = {r for r, needs in edges.items() if r not in done and needs <= done}
        if not free:
            break
        done |= free
    check(done == set(edges), f"{name}: these wait for each other: {set(edges) - done}")


def shape_of(service, shape):
    model = botocore.loaders.Loader().load_service_model(service, "service-2")
    return model["shapes"], model["shapes"][shape]


def look_at_launch_templates(template):
    shapes, data = shape_of("ec2", "RequestLaunchTemplateData")
    for resource, body in template["Resources"].items():
        if body["Type"] != "AWS::EC2::LaunchTemplate":
            continue
        for key, value in body["Properties"]["LaunchTemplateData"].items():
            names = {member.get("locationName", member_name): member["shape"] for member_name, member in data["members"].items()}
            names.update({member_name: member["shape"] for member_name, member in data["members"].items()})
            check(key in names, f"{resource}: {key} is no part of launch template data")
            inner = shapes[names.get(key, "String")]
            if isinstance(value, dict) and inner["type"] == "structure":
                for part in value:
                    check(part in inner["members"], f"{resource}: {key}.{part} is no part of {key}")
        check(body["Properties"]["LaunchTemplateData"]["MetadataOptions"] == {
            "HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"}, f"{resource}: nodes read their tags by IMDSv2")


def actions_called(files):
    """The API actions that the providers' sources name."""
    found = set()
    for file in files:
        text = open(os.path.join(source, file)).read()
        found |= set(re.findall(r'"((?:Describe|Run|Terminate|Create|Delete|Set|Put|Complete)[A-Z]\w+)"', text))
    return found


def look_at_policy(template):
    allowed = set()
    for policy in template["Resources"]["ControlRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            allowed |= set([actions] if isinstance(actions, str) else actions)
            check("*" not in str(actions), f"policy: {actions}")
    files = [f"autoscale/{f}" for f in os.listdir(os.path.join(source, "autoscale")) if re.match(r"(provider_)?(ec2|cloudwatch)\w*\.c$", f)]
    files.append("aws/describe_io.c")
    called = actions_called(files)
    check("RunInstances" in called and "TerminateInstances" in called, f"the sources of the provider were not found: {files} {called}")
    ec2 = {f"ec2:{action}" for action in called if not action.startswith("Put")}
    check({a for a in allowed if a.startswith("ec2:")} == ec2 | {"ec2:CreateTags"}, f"policy: {sorted(allowed)}; called: {sorted(called)}")
    check(allowed - ec2 == {"ec2:CreateTags", "iam:PassRole", "cloudwatch:PutMetricData", "ssm:GetParameter", "secretsmanager:GetSecretValue"},
          f"policy: {sorted(allowed - ec2)}")
    node = str([p["PolicyDocument"]["Statement"] for p in template["Resources"]["NodeRole"]["Properties"]["Policies"]])
    check("ec2:" not in node and "*" not in node.replace("berth.yaml", ""), f"nodes may do more than read their configuration: {node}")


def filled(text):
    text = re.sub(r"\$\{(Lobby|Game)Max\}", "9", re.sub(r"\$\{GameMin\}", "2", text))
    text = re.sub(r"\$\{Redis\.PrimaryEndPoint\.Port\}", "6379", text)
    text = re.sub(r"\$\{Alerts\}", 'alerts: {to: {slack: {kind: slack, url: "@SLACK_URL@"}}}', text)
    text = re.sub(r"\$\{Peer(.)\.PrimaryPrivateIpAddress\}", lambda m: f"10.60.0.{ord(m.group(1))}", text)
    text = re.sub(r"\$\{Subnet(.)\}", lambda m: f"subnet-0{m.group(1).lower()}", text)
    return re.sub(r"\$\{[^}]*\}", "some-name", text)


def look_at_configuration(template):
    text, _ = sub_names(template["Resources"]["Configuration"]["Properties"]["Value"])
    text = filled(text)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(re.sub(r"@[A-Z_]+@", "a-secret-a-secret-a-secret-a-secret", text.replace("@SLACK_URL@", "https://hooks.example/x")))
        file.flush()
        for program in ("berth-lb", "berth-autoscale", "berth-gamenode", "berth-lobbynode"):
            done = subprocess.run([f"{programs}/{program}", "--config", file.name, "--check-config"], capture_output=True, text=True)
            check(done.returncode == 0, f"{program} does not take the template's configuration: {done.stderr}{done.stdout}")
    check(len(text) < 8192, f"the configuration has {len(text)} bytes: an advanced parameter holds 8192")


def look_at_scripts(name, template):
    scripts = 0
    for path, value in walk(template):
        if not isinstance(value, Call) or value.name != "Base64":
            continue
        text, _ = sub_names(value.value) if isinstance(value.value, Call) else (value.value, [])
        scripts += 1
        for shell in (["sh", "-n"], ["shellcheck", "-s", "sh", "-"]):
            try:
                done = subprocess.run(shell, input=filled(text), capture_output=True, text=True)
            except FileNotFoundError:
                continue
            check(done.returncode == 0, f"{name}{path}: {shell[0]}: {done.stdout}{done.stderr}")
        asked = re.search(r"berth-boot (.*)", filled(text).replace("\\\n", " "))
        check(asked and "--config-parameter" in asked.group(1), f"{name}{path}: no berth-boot")
        for unit in re.findall(r"(berth-\w+)@", asked.group(1)):
            check(os.path.exists(f"{source}/infra/systemd/{unit}@.service"), f"{name}{path}: there is no unit {unit}@")
    return scripts


main = yaml.load(open(f"{source}/infra/aws/berth.yaml"), Loader)
batch = yaml.load(open(f"{source}/infra/aws/batch.yaml"), Loader)
for name, template in (("berth.yaml", main), ("batch.yaml", batch)):
    check(set(template) <= {"AWSTemplateFormatVersion", "Description", "Parameters", "Conditions", "Resources", "Outputs"}, f"{name}: {set(template)}")
    look_at_references(name, template)
    look_at_cycles(name, template)
look_at_launch_templates(main)
look_at_policy(main)
look_at_configuration(main)
check(look_at_scripts("berth.yaml", main) == 4, "berth.yaml: four kinds of instances boot")
_, group = shape_of("autoscaling", "CreateAutoScalingGroupType")
for key in batch["Resources"]["Batch"]["Properties"]:
    check(key in group["members"], f"batch.yaml: {key} is no property of an Auto Scaling group")
for failure in failures:
    print(f"FAILED: {failure}")
print(f"infra/aws: {len(main['Resources']) + len(batch['Resources'])} resources looked at, {len(failures)} faults")
sys.exit(1 if failures else 0)
