-- SPDX-License-Identifier: GPL-2.0-only
--
-- Wireshark and tshark (3.6 to 4.4) read CollaPipe's messages with this file:
--
--     tshark -X lua_script:collapipe.lua -r collapipe-es.pcap -Y collapipe
--     tshark -X lua_script:collapipe.lua -r collapipe-es.pcap -q -z collapipe,types
--
-- or, for good, once it lies in the folder of personal Lua plugins (Help > About > Folders).
-- The format is that of model/network/collapipe-message.h: a head of 56 bytes, a descriptor of
-- 20 bytes for each tensor, the tensors. Messages follow one another on TCP connections to port
-- 9000 (a preference); on other ports a connection that begins with a message is recognised.

local HEAD_BYTES = 56
local HEAD_CRC_OFFSET = 52
local DESCRIPTOR_BYTES = 20
local ALIGNMENT = 8
local MAGIC = 0x436f4c50
local MAGIC_TEXT = "CoLP"
local VERSION = 1
local MAX_RANK = 4
local EDGE_SERVER = 0xffff
local LARGEST = 0x7fffffff -- what TCP reassembly can put together

local TYPES = {
    [1] = "hello",
    [2] = "state-request",
    [3] = "state-report",
    [4] = "segment-assignment",
    [5] = "ready",
    [6] = "start",
    [7] = "activation",
    [8] = "targets",
    [9] = "gradient",
    [10] = "parameter-upload",
    [11] = "segment-parameters",
    [12] = "gradient-norm",
    [13] = "clip-factor",
    [14] = "heartbeat",
    [15] = "peer-lost",
    [16] = "replica",
    [17] = "replica-stored",
    [18] = "snapshot-request",
    [19] = "snapshot",
    [20] = "leave",
    [21] = "table-gradient",
    [22] = "credit",
    [23] = "base-weights",
    [24] = "parameter-request",
    [25] = "stage-gradients",
    [32] = "cell-model",
    [33] = "cell-report",
    [34] = "cell-start",
    [35] = "cell-loss",
}
local STATE_REPORT, SEGMENT_ASSIGNMENT = 3, 4

-- Element types by their number on the wire: name, bytes.
local ELEMENTS = {
    [1] = {"float32", 4},
    [2] = {"float64", 8},
    [3] = {"int32", 4},
    [4] = {"uint8", 1},
    [5] = {"float16", 2},
    [6] = {"bfloat16", 2},
    [7] = {"int8", 1},
}

local CRC_STATUS = {[0] = "bad", [1] = "good", [2] = "not checked"}
local BAD, GOOD, UNCHECKED = 0, 1, 2

-- ---------------------------------------------------------------- CRC-32 (IEEE 802.3)

local bits = bit32 or bit
local bxor = bits.bxor

-- LOW[v] and HIGH[v]: what the lower and upper half of (state xor next four bytes) become.
local LOW, HIGH = {}, {}

do
    local tables = {[0] = {}}
    for value = 0, 255 do
        local crc = value
        for _ = 1, 8 do
            local half = math.floor(crc / 2)
            crc = crc % 2 == 1 and bxor(half, 0xedb88320) % 2 ^ 32 or half
        end
        tables[0][value] = crc
    end
    for slice = 1, 3 do
        tables[slice] = {}
        for value = 0, 255 do
            local crc = tables[slice - 1][value]
            tables[slice][value] = bxor(math.floor(crc / 256), tables[0][crc % 256]) % 2 ^ 32
        end
    end
    for value = 0, 0xffff do
        local low, high = value % 256, math.floor(value / 256)
        LOW[value] = bxor(tables[3][low], tables[2][high]) % 2 ^ 32
        HIGH[value] = bxor(tables[1][low], tables[0][high]) % 2 ^ 32
    end
    LOW.byte = tables[0]
end

local function crc32(text)
    local crc = 0xffffffff
    local byte = string.byte
    local whole = #text - #text % 8
    for i = 1, whole, 8 do
        local a, b, c, d, e, f, g, h = byte(text, i, i + 7)
        local mixed = bxor(crc, a + 256 * b + 65536 * c + 16777216 * d) % 4294967296
        local low = mixed % 65536
        crc = bxor(LOW[low], HIGH[(mixed - low) / 65536])
        mixed = bxor(crc, e + 256 * f + 65536 * g + 16777216 * h) % 4294967296
        low = mixed % 65536
        crc = bxor(LOW[low], HIGH[(mixed - low) / 65536]) % 4294967296
    end
    for i = whole + 1, #text do
        local index = bxor(crc % 256, byte(text, i)) % 256
        crc = bxor(math.floor(crc / 256), LOW.byte[index]) % 4294967296
    end
    return 0xffffffff - crc
end

-- ---------------------------------------------------------------- fields

local collapipe = Proto("collapipe", "CollaPipe")

collapipe.prefs.port = Pref.uint("TCP port", 9000, "Port on which the applications listen")
collapipe.prefs.check_crc = Pref.bool("Check CRC-32", true,
    "Compute the CRC-32 of every message (some 10 MB per second)")

local f = {
    magic = ProtoField.uint32("collapipe.magic", "Magic", base.HEX),
    version = ProtoField.uint8("collapipe.version", "Version"),
    type = ProtoField.uint8("collapipe.type", "Type", base.DEC, TYPES),
    flags = ProtoField.uint16("collapipe.flags", "Flags", base.HEX),
    virtual = ProtoField.bool("collapipe.flags.virtual", "Payload stands for zeros", 16,
        {"yes", "no"}, 0x0001),
    run = ProtoField.uint32("collapipe.run", "Run"),
    cluster = ProtoField.uint16("collapipe.cluster", "Cluster"),
    node = ProtoField.uint16("collapipe.node", "Node of the sender (0: control unit, k + 1: device k, 65535: edge server)"),
    sender = ProtoField.string("collapipe.sender", "Sender"),
    chain = ProtoField.uint16("collapipe.chain", "Chain"),
    stage = ProtoField.uint16("collapipe.stage", "Stage of the sender"),
    round = ProtoField.uint32("collapipe.round", "Round"),
    iteration = ProtoField.uint32("collapipe.iteration", "Local iteration"),
    microbatch = ProtoField.uint32("collapipe.microbatch", "Micro-batch"),
    firstBlock = ProtoField.uint16("collapipe.first_block", "First encoder block"),
    lastBlock = ProtoField.uint16("collapipe.last_block", "One past the last encoder block"),
    tensorCount = ProtoField.uint16("collapipe.tensors", "Tensors"),
    reserved = ProtoField.uint16("collapipe.reserved", "Reserved", base.HEX),
    payloadLength = ProtoField.uint64("collapipe.payload_length", "Payload length"),
    payloadCrc = ProtoField.uint32("collapipe.payload_crc", "CRC-32 of descriptors and payload",
        base.HEX),
    payloadStatus = ProtoField.uint8("collapipe.payload_crc.status", "Its status", base.DEC,
        CRC_STATUS),
    headCrc = ProtoField.uint32("collapipe.header_crc", "CRC-32 of the head", base.HEX),
    headStatus = ProtoField.uint8("collapipe.header_crc.status", "Its status", base.DEC,
        CRC_STATUS),
    length = ProtoField.uint64("collapipe.length", "Length of the message"),
    duration = ProtoField.double("collapipe.duration",
        "Seconds from its first to its last segment"),
    tensor = ProtoField.none("collapipe.tensor", "Tensor"),
    element = ProtoField.string("collapipe.tensor.type", "Element type"),
    rank = ProtoField.uint8("collapipe.tensor.rank", "Rank"),
    extent = ProtoField.uint32("collapipe.tensor.extent", "Extent"),
    tensorBytes = ProtoField.uint64("collapipe.tensor.bytes", "Bytes"),
    data = ProtoField.bytes("collapipe.tensor.data", "Data"),
    assignment = ProtoField.string("collapipe.assignment", "Assignment (JSON)"),
    flops = ProtoField.double("collapipe.report.flops", "Usable FLOP/s"),
    overhead = ProtoField.double("collapipe.report.overhead", "Fixed time per micro-batch (s)"),
    memory = ProtoField.double("collapipe.report.memory", "Free memory (bytes)"),
    power = ProtoField.double("collapipe.report.power", "Power while computing (W)"),
    battery = ProtoField.double("collapipe.report.battery", "Energy left (J)"),
    samples = ProtoField.double("collapipe.report.samples", "Training samples"),
    stray = ProtoField.bytes("collapipe.stray", "Bytes of no message"),
}
local REPORT = {f.flops, f.overhead, f.memory, f.power, f.battery, f.samples}

local fieldList = {}
for _, field in pairs(f) do
    fieldList[#fieldList + 1] = field
end
collapipe.fields = fieldList

local function newExpert(name, text, group, severity)
    return ProtoExpert.new("collapipe." .. name, text, group, severity)
end
local e = {
    headCrc = newExpert("header_crc.bad", "The head is damaged: its CRC-32 does not match",
        expert.group.CHECKSUM, expert.severity.ERROR),
    payloadCrc = newExpert("payload_crc.bad", "The message is damaged: its CRC-32 does not match",
        expert.group.CHECKSUM, expert.severity.ERROR),
    stray = newExpert("stray.expert", "No message begins here",
        expert.group.PROTOCOL, expert.severity.ERROR),
    version = newExpert("version.unknown", "Unknown protocol version",
        expert.group.PROTOCOL, expert.severity.ERROR),
    type = newExpert("type.unknown", "Unknown message type",
        expert.group.PROTOCOL, expert.severity.WARN),
    tensors = newExpert("tensors.wrong", "The tensors do not fill the payload",
        expert.group.PROTOCOL, expert.severity.ERROR),
    short = newExpert("incomplete", "The rest of the message was not captured",
        expert.group.UNDECODED, expert.severity.WARN),
}
collapipe.experts = {e.headCrc, e.payloadCrc, e.stray, e.version, e.type, e.tensors, e.short}

-- ---------------------------------------------------------------- one message

local function align(offset)
    return math.ceil(offset / ALIGNMENT) * ALIGNMENT
end

local function senderName(cluster, node)
    if node == EDGE_SERVER then
        return "es"
    end
    return "c" .. cluster .. (node == 0 and "-cu" or "-d" .. node - 1)
end

-- A whole number as one. From Lua 5.3 (Wireshark 4.4) on, it is told from a number with a fraction of
-- nothing, and Wireshark wants it for lengths; before, numbers are of one kind.
local function whole(number)
    return math.tointeger and math.tointeger(number) or number
end

-- The head at an offset, or nil and the expert item that says why there is none.
local function readHead(buffer, offset)
    if buffer(offset, 4):uint() ~= MAGIC then
        return nil, e.stray
    end
    local head = {
        type = buffer(offset + 5, 1):uint(),
        virtual = buffer(offset + 6, 2):uint() % 2 == 1,
        cluster = buffer(offset + 12, 2):uint(),
        node = buffer(offset + 14, 2):uint(),
        round = buffer(offset + 20, 4):uint(),
        iteration = buffer(offset + 24, 4):uint(),
        microbatch = buffer(offset + 28, 4):uint(),
        tensors = buffer(offset + 36, 2):uint(),
        payload = whole(buffer(offset + 40, 8):uint64():tonumber()),
        payloadCrc = buffer(offset + 48, 4):uint(),
        crc = buffer(offset + HEAD_CRC_OFFSET, 4):uint(),
    }
    head.length = HEAD_BYTES + head.tensors * DESCRIPTOR_BYTES + head.payload
    if crc32(buffer:raw(offset, HEAD_CRC_OFFSET)) ~= head.crc then
        return nil, e.headCrc
    elseif buffer(offset + 4, 1):uint() ~= VERSION then
        return nil, e.version
    end
    return head
end

local function addHead(tree, buffer, offset, head)
    tree:add(f.magic, buffer(offset, 4))
    tree:add(f.version, buffer(offset + 4, 1))
    tree:add(f.type, buffer(offset + 5, 1))
    tree:add(f.flags, buffer(offset + 6, 2)):add(f.virtual, buffer(offset + 6, 2))
    tree:add(f.run, buffer(offset + 8, 4))
    tree:add(f.cluster, buffer(offset + 12, 2))
    tree:add(f.node, buffer(offset + 14, 2))
    tree:add(f.sender, buffer(offset + 12, 4), senderName(head.cluster, head.node)):set_generated()
    tree:add(f.chain, buffer(offset + 16, 2))
    tree:add(f.stage, buffer(offset + 18, 2))
    tree:add(f.round, buffer(offset + 20, 4))
    tree:add(f.iteration, buffer(offset + 24, 4))
    tree:add(f.microbatch, buffer(offset + 28, 4))
    tree:add(f.firstBlock, buffer(offset + 32, 2))
    tree:add(f.lastBlock, buffer(offset + 34, 2))
    tree:add(f.tensorCount, buffer(offset + 36, 2))
    tree:add(f.reserved, buffer(offset + 38, 2))
    tree:add(f.payloadLength, buffer(offset + 40, 8))
    tree:add(f.payloadCrc, buffer(offset + 48, 4))
    tree:add(f.headCrc, buffer(offset + HEAD_CRC_OFFSET, 4))
    tree:add(f.headStatus, buffer(offset + HEAD_CRC_OFFSET, 4), GOOD):set_generated()
    tree:add(f.length, UInt64(head.length % 2 ^ 32, math.floor(head.length / 2 ^ 32)))
        :set_generated()
end

-- Adds the descriptors with the tensors' places; false where they do not fit the payload.
local function addTensors(tree, buffer, offset, head, available)
    local place = 0
    local tensors = {}
    for i = 0, head.tensors - 1 do
        local at = offset + HEAD_BYTES + i * DESCRIPTOR_BYTES
        if at + DESCRIPTOR_BYTES > available then
            return tensors, true
        end
        local element = ELEMENTS[buffer(at, 1):uint()]
        local rank = buffer(at + 1, 1):uint()
        local branch = tree:add(f.tensor, buffer(at, DESCRIPTOR_BYTES))
        branch:add(f.element, buffer(at, 1), element and element[1] or "unknown")
        branch:add(f.rank, buffer(at + 1, 1))
        if not element or rank > MAX_RANK then
            return tensors, false
        end
        local size = element[2]
        local extents = {}
        for d = 0, rank - 1 do
            branch:add(f.extent, buffer(at + 4 + 4 * d, 4))
            extents[#extents + 1] = buffer(at + 4 + 4 * d, 4):uint()
            size = size * extents[#extents]
        end
        place = align(place)
        branch:set_text(string.format("Tensor %d: %s [%s], %.0f bytes", i, element[1],
            table.concat(extents, ","), size))
        if place + size > head.payload then
            return tensors, false
        end
        branch:add(f.tensorBytes, UInt64(size % 2 ^ 32, math.floor(size / 2 ^ 32)))
            :set_generated()
        tensors[#tensors + 1] = {place = place, size = size, branch = branch}
        place = place + size
    end
    return tensors, place == head.payload
end

local function addData(tree, buffer, offset, head, tensors, available)
    local begin = offset + HEAD_BYTES + head.tensors * DESCRIPTOR_BYTES
    for _, tensor in ipairs(tensors) do
        local at = begin + tensor.place
        if tensor.size > 0 and at + tensor.size <= available and not head.virtual then
            tensor.branch:add(f.data, buffer(at, tensor.size))
        end
    end
    local first = tensors[1]
    if not first or begin + first.place + first.size > available or head.virtual then
        return
    end
    if head.type == STATE_REPORT and first.size == 8 * #REPORT then
        for i, field in ipairs(REPORT) do
            tree:add_le(field, buffer(begin + 8 * (i - 1), 8))
        end
    elseif head.type == SEGMENT_ASSIGNMENT and first.size > 0 then
        tree:add(f.assignment, buffer(begin, first.size))
    end
end

local function describe(head)
    local text = (TYPES[head.type] or "message of type " .. head.type) .. " from " .. senderName(head.cluster, head.node)
    if head.round > 0 then
        text = text .. ", round " .. head.round
    end
    if TYPES[head.type] == "activation" or TYPES[head.type] == "gradient" or
        TYPES[head.type] == "targets" then
        text = text .. ", iteration " .. head.iteration .. ", micro-batch " .. head.microbatch
    end
    return text
end

-- Status of the CRC-32 over descriptors and payload.
local function checkPayload(buffer, offset, head)
    if head.virtual then
        return head.payloadCrc == 0 and GOOD or BAD
    elseif not collapipe.prefs.check_crc then
        return UNCHECKED
    end
    local length = head.length - HEAD_BYTES
    local crc = length > 0 and crc32(buffer:raw(offset + HEAD_BYTES, length)) or 0
    return crc == head.payloadCrc and GOOD or BAD
end

-- A message of which `available` bytes, counted from the buffer's start, are there.
local function addMessage(buffer, offset, head, available, duration, root)
    local shown = math.min(offset + head.length, available) - offset
    local tree = root:add(collapipe, buffer(offset, shown), "CollaPipe " .. describe(head))
    addHead(tree, buffer, offset, head)
    if not TYPES[head.type] then
        tree:add_proto_expert_info(e.type)
    end
    if duration then
        tree:add(f.duration, duration):set_generated()
    end
    local tensors, fits = addTensors(tree, buffer, offset, head, available)
    if not fits then
        tree:add_proto_expert_info(e.tensors)
    end
    local status = UNCHECKED
    if shown < head.length then
        tree:add_proto_expert_info(e.short)
    else
        status = checkPayload(buffer, offset, head)
        if status == BAD then
            tree:add_proto_expert_info(e.payloadCrc)
        end
    end
    tree:add(f.payloadStatus, buffer(offset + 48, 4), status):set_generated()
    addData(tree, buffer, offset, head, tensors, available)
end

-- ---------------------------------------------------------------- the stream

local streamField = Field.new("tcp.stream")
local sourcePort = Field.new("tcp.srcport")

-- By direction of a connection: when the message began that is not complete yet.
local begun = {}
-- By frame and place in it: how long a message took. Kept for frames that are visited again.
local durations = {}

function collapipe.init()
    begun = {}
    durations = {}
end

local function direction()
    local stream, port = streamField(), sourcePort()
    return stream and tostring(stream.value) .. ":" .. tostring(port.value) or ""
end

local function messageDuration(pinfo, place)
    local key = pinfo.number .. ":" .. place
    if not pinfo.visited then
        local way = direction()
        durations[key] = pinfo.abs_ts - (begun[way] and begun[way].time or pinfo.abs_ts)
        begun[way] = nil
    end
    return durations[key]
end

-- Asks TCP for more of a message; remembers since when.
local function wait(pinfo, offset, missing, head)
    pinfo.desegment_offset = offset
    pinfo.desegment_len = missing
    if not pinfo.visited then
        local way = direction()
        begun[way] = begun[way] or {time = pinfo.abs_ts}
        begun[way].type = head and TYPES[head.type] or begun[way].type
    end
end

-- Where the next message may begin; the buffer's end where none does.
local function nextMagic(buffer, offset, available)
    local found = string.find(buffer:raw(offset, available - offset), MAGIC_TEXT, 2, true)
    return found and offset + found - 1 or available
end

local function addStray(buffer, offset, available, reason, root)
    local finish = nextMagic(buffer, offset, available)
    local tree = root:add(collapipe, buffer(offset, finish - offset), "CollaPipe: no message")
    if reason ~= e.stray and reason ~= e.short then
        tree:add(f.headStatus, reason == e.headCrc and BAD or GOOD):set_generated()
    end
    tree:add(f.stray, buffer(offset, finish - offset))
    tree:add_proto_expert_info(reason)
    return finish
end

function collapipe.dissector(buffer, pinfo, root)
    local reported = buffer:reported_len()
    local available = buffer:captured_len()
    local offset = 0
    local texts = {}
    pinfo.cols.protocol = "CollaPipe"
    while offset < available do
        local canWait = pinfo.can_desegment > 0 and available == reported
        local start = buffer:raw(offset, math.min(4, available - offset))
        local begins = start == string.sub(MAGIC_TEXT, 1, #start)
        if begins and available - offset < HEAD_BYTES and canWait then
            wait(pinfo, offset, HEAD_BYTES - (available - offset), nil)
            break
        end
        local head, reason = nil, begins and e.short or e.stray
        if available - offset >= HEAD_BYTES then
            head, reason = readHead(buffer, offset)
        end
        if not head then
            texts[#texts + 1] = "no message"
            offset = addStray(buffer, offset, available, reason, root)
        elseif offset + head.length > reported and canWait and head.length <= LARGEST then
            wait(pinfo, offset, offset + head.length - reported, head)
            break
        else
            texts[#texts + 1] = describe(head)
            local duration = messageDuration(pinfo, #texts)
            addMessage(buffer, offset, head, available, duration, root)
            offset = offset + head.length
        end
    end
    if #texts > 0 then
        pinfo.cols.info = table.concat(texts, "; ")
    end
end

local function startsWithMessage(buffer, pinfo, root)
    if buffer:captured_len() < 5 or buffer(0, 4):uint() ~= MAGIC or
        buffer(4, 1):uint() ~= VERSION then
        return false
    end
    pinfo.conversation = collapipe
    collapipe.dissector(buffer, pinfo, root)
    return true
end

collapipe:register_heuristic("tcp", startsWithMessage)
local tcpPorts = DissectorTable.get("tcp.port")
local port = collapipe.prefs.port
tcpPorts:add(port, collapipe)

-- A segment that was lost and sent again comes late: TCP has to put it back into its place first.
-- (Set for this program's run; what the user saved stays.)
if set_preference then
    set_preference("tcp.reassemble_out_of_order", true)
end

function collapipe.prefs_changed()
    if port ~= collapipe.prefs.port then
        tcpPorts:remove(port, collapipe)
        port = collapipe.prefs.port
        tcpPorts:add(port, collapipe)
    end
end

-- ---------------------------------------------------------------- statistics

local typeField = Field.new("collapipe.type")
local lengthField = Field.new("collapipe.length")
local statusField = Field.new("collapipe.payload_crc.status")
local strayField = Field.new("collapipe.stray")

local function newStatistics(filter)
    local tap = Listener.new("frame", filter and "collapipe && (" .. filter .. ")" or "collapipe")
    local counts, strays, bad = {}, 0, 0

    function tap.packet()
        local types, lengths, statuses = {typeField()}, {lengthField()}, {statusField()}
        for i, kind in ipairs(types) do
            local row = counts[kind.value] or {messages = 0, bytes = 0}
            row.messages = row.messages + 1
            row.bytes = row.bytes + tonumber(tostring(lengths[i].value))
            counts[kind.value] = row
            bad = bad + (statuses[i].value == BAD and 1 or 0)
        end
        strays = strays + #{strayField()}
    end

    function tap.draw()
        local messages, bytes = 0, 0
        for _, row in pairs(counts) do
            messages, bytes = messages + row.messages, bytes + row.bytes
        end
        print("CollaPipe messages by type" .. (filter and ", filter: " .. filter or ""))
        print(string.format("%-20s %10s %14s %8s", "type", "messages", "bytes", "% bytes"))
        local numbers = {}
        for number in pairs(counts) do
            numbers[#numbers + 1] = number
        end
        table.sort(numbers)
        for _, number in ipairs(numbers) do
            local row = counts[number]
            print(string.format("%-20s %10d %14.0f %8.2f", TYPES[number] or "type " .. number,
                row.messages, row.bytes, 100 * row.bytes / bytes))
        end
        print(string.format("%-20s %10d %14.0f", "all", messages, bytes))
        local unfinished = 0
        for _ in pairs(begun) do
            unfinished = unfinished + 1
        end
        print(string.format("CRC errors %d, bytes of no message in %d places, unfinished %d", bad,
            strays, unfinished))
    end

    function tap.reset()
        counts, strays, bad = {}, 0, 0
    end
end

-- tshark -z collapipe,types[,FILTER]
if not gui_enabled() and register_stat_cmd_arg then
    register_stat_cmd_arg("collapipe,types", function(argument)
        local filter = argument and string.match(argument, "^collapipe,types,(.+)$")
        newStatistics(filter)
    end)
end
