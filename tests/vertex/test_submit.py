from tests.vertex.standin import GoogleCloud

def test_submit(cloud: GoogleCloud, vertex):
    cloud.frames = [{"ExampleGen": "RUNNING", "job":"RUNNING"}, {"ExampleGen": "SUCCEEDED", "Trainer": "RUNNING"}, {"Trainer": "SUCCEEDED", "job": "SUCCEEDED"}]
    said = vertex("submit", "--param", "epochs=3")
    print(said.out); print(said.err)
    print(cloud.asked)
    assert said.code == 0
